use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::outbox::{known_code, mail, mail_to, outbox};
use auth_domain::{CodeMail, MailContent, MailError, Mailer, Notice};
use auth_smtp::FileMailer;

#[tokio::test]
async fn a_mail_is_one_file_named_after_it() {
    let outbox = outbox();
    let mail = mail(MailContent::Code(CodeMail::SignUp, known_code()));
    outbox.send(&mail).await;
    assert_eq!(outbox.names(), [format!("{}.eml", mail.id)]);
}

#[tokio::test]
async fn the_reply_names_the_file_but_neither_code_nor_address() {
    let outbox = outbox();
    let mail = mail(MailContent::Code(CodeMail::SignUp, known_code()));
    let reply = outbox.mailer.deliver(&mail).await.unwrap();
    let path = reply.strip_prefix("written to ").unwrap();
    let raw = fs::read_to_string(path).unwrap();
    assert!(raw.contains("654321") && raw.contains("ada@example.org"));
    assert!(!reply.contains("654321") && !reply.contains("ada"));
}

#[tokio::test]
async fn a_mail_delivered_again_replaces_its_file_with_the_same_octets() {
    let outbox = outbox();
    let mail = mail(MailContent::Code(CodeMail::SignIn, known_code()));
    let first = outbox.send(&mail).await;
    fs::write(outbox.folder.path().join(format!("{}.eml", mail.id)), "half a ma").unwrap();
    let second = outbox.send(&mail).await;
    assert_eq!(first, second);
    assert_eq!(outbox.names().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_never_sees_half_a_mail_even_while_attempts_overlap() {
    let outbox = outbox();
    let folder = outbox.folder.path().to_owned();
    let done = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) || seen == 0 {
                for entry in fs::read_dir(&folder).unwrap() {
                    let entry = entry.unwrap();
                    let name = entry.file_name().into_string().unwrap();
                    if entry.path().extension().is_some_and(|extension| extension == "eml") {
                        let raw = fs::read_to_string(entry.path()).unwrap();
                        assert!(raw.starts_with("Date: ") && raw.ends_with("--\r\n"), "{raw}");
                        seen += 1;
                    } else {
                        assert!(name.starts_with('.'), "{name}");
                    }
                }
            }
        }
    });

    let mail = Arc::new(mail(MailContent::Code(CodeMail::SignIn, known_code())));
    for _ in 0..20 {
        let overlapping: Vec<_> = (0..4)
            .map(|_| {
                let (mailer, mail) = (outbox.mailer.clone(), Arc::clone(&mail));
                tokio::spawn(async move { mailer.deliver(&mail).await })
            })
            .collect();
        for attempt in overlapping {
            attempt.await.unwrap().unwrap();
        }
    }
    done.store(true, Ordering::Relaxed);
    reader.join().unwrap();
    assert_eq!(outbox.names(), [format!("{}.eml", mail.id)]);
}

#[tokio::test]
async fn the_folder_is_made_and_made_again_when_it_disappears() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data").join("outbox");
    let mailer = FileMailer::new(folder.clone(), "auth@localhost".parse().unwrap()).unwrap();
    assert!(folder.is_dir());

    fs::remove_dir_all(parent.path().join("data")).unwrap();
    let mail = mail(MailContent::Notice(Notice::AddressAlreadyRegistered));
    mailer.deliver(&mail).await.unwrap();
    assert!(folder.join(format!("{}.eml", mail.id)).is_file());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("outbox");
    fs::write(&folder, "in the way").unwrap();
    let refused = FileMailer::new(folder.clone(), "auth@localhost".parse().unwrap()).unwrap_err();
    assert_eq!(refused.to_string(), format!("the mail folder {} cannot be made", folder.display()));
    assert_eq!(refused.folder, folder);
}

#[tokio::test]
async fn a_mail_that_cannot_be_written_may_be_written_later() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("outbox");
    let mailer = FileMailer::new(folder.clone(), "auth@localhost".parse().unwrap()).unwrap();
    fs::remove_dir(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();

    let mail = mail_to("ada@example.org", MailContent::Code(CodeMail::SignIn, known_code()));
    let Err(MailError::Transient(reason)) = mailer.deliver(&mail).await else { panic!("not refused") };
    assert!(reason.contains(&format!("{}.eml", mail.id)), "{reason}");
    assert!(!reason.contains("654321") && !reason.contains("ada"), "{reason}");

    fs::remove_file(&folder).unwrap();
    mailer.deliver(&mail).await.unwrap();
}

#[tokio::test]
async fn an_attempt_that_failed_leaves_nothing_behind() {
    let outbox = outbox();
    let mail = mail(MailContent::Code(CodeMail::SignIn, known_code()));
    let in_the_way = outbox.folder.path().join(format!("{}.eml", mail.id)).join("in the way");
    fs::create_dir_all(&in_the_way).unwrap();

    let failed = outbox.mailer.deliver(&mail).await;
    assert!(matches!(failed, Err(MailError::Transient(_))), "{failed:?}");
    assert_eq!(outbox.names(), [format!("{}.eml", mail.id)], "what was in the way, and no temporary file");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_a_mail() {
    use std::os::unix::fs::PermissionsExt;

    let outbox = outbox();
    let mail = mail(MailContent::Code(CodeMail::SignIn, known_code()));
    let path = outbox.folder.path().join(format!("{}.eml", mail.id));
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    outbox.send(&mail).await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "whatever was there before");
}
