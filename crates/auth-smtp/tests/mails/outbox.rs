//! A mailbox to look into, and a reader of raw mails that knows just enough of RFC 5322.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use auth_domain::{
    Clock, EmailAddress, Entropy, EntropyError, Language, Mail, MailContent, MailId, Mailer, Timestamp,
    VerificationCode,
    system::{SystemClock, SystemEntropy},
};
use auth_smtp::FileMailer;
use tempfile::TempDir;

/// When the mails of these tests were owed: 14 November 2023, 22:13:20.
pub(crate) const OWED: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

/// A mailer and the folder it writes to.
pub(crate) struct Outbox {
    pub(crate) folder: TempDir,
    pub(crate) mailer: FileMailer,
}

impl Outbox {
    /// An empty outbox whose mails are from `sender`.
    pub(crate) fn from(sender: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mailer = FileMailer::new(folder.path().to_owned(), sender.parse().unwrap()).unwrap();
        Self { folder, mailer }
    }

    /// Delivers `mail` and reads the file.
    pub(crate) async fn send(&self, mail: &Mail) -> String {
        self.mailer.deliver(mail).await.unwrap();
        std::fs::read_to_string(self.folder.path().join(format!("{}.eml", mail.id))).unwrap()
    }

    /// The names of all files in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// An outbox whose mails are from `Auth <auth@localhost>`.
pub(crate) fn outbox() -> Outbox {
    Outbox::from("Auth <auth@localhost>")
}

/// A mail to `address` with an id of its own.
pub(crate) fn mail_to(address: &str, content: MailContent) -> Mail {
    Mail {
        id: MailId::mint(SystemClock.now(), &SystemEntropy).unwrap(),
        to: EmailAddress::parse(address).unwrap(),
        language: Language::default(),
        content,
        created_at: OWED,
    }
}

/// A mail to Ada with an id of its own.
pub(crate) fn mail(content: MailContent) -> Mail {
    mail_to("ada@example.org", content)
}

/// A random code.
pub(crate) fn code() -> VerificationCode {
    VerificationCode::mint(&SystemEntropy).unwrap()
}

/// The code 654321.
pub(crate) fn known_code() -> VerificationCode {
    struct Known;
    impl Entropy for Known {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.copy_from_slice(&654_321_u32.to_be_bytes()[1..]);
            Ok(())
        }
    }
    VerificationCode::mint(&Known).unwrap()
}

/// The headers of a mail or of a part, unfolded, in their order, and what follows them.
pub(crate) fn split(raw: &str) -> (Vec<(&str, String)>, &str) {
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    let mut headers: Vec<(&str, String)> = Vec::new();
    for line in head.split("\r\n") {
        if line.starts_with([' ', '\t']) {
            headers.last_mut().unwrap().1.push_str(line);
        } else {
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name, value.trim_start().to_owned()));
        }
    }
    (headers, body)
}

/// The value of the one header called `name`.
pub(crate) fn header(raw: &str, name: &str) -> String {
    let mut values: Vec<_> = split(raw).0.into_iter().filter(|(found, _)| *found == name).collect();
    assert_eq!(values.len(), 1, "{name}");
    values.remove(0).1
}

/// The parts of a multipart mail, headers included.
pub(crate) fn parts(raw: &str) -> Vec<&str> {
    let content_type = header(raw, "Content-Type");
    let boundary = content_type.split('"').nth(1).unwrap();
    let (_headers, body) = split(raw);
    let body = body.strip_suffix(&format!("--{boundary}--\r\n")).unwrap();
    let delimiter = format!("--{boundary}\r\n");
    let mut parts = body.split(delimiter.as_str());
    assert_eq!(parts.next(), Some(""), "nothing stands before the first part");
    parts.collect()
}

/// Every run of six or more ASCII digits.
pub(crate) fn long_digit_runs(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() >= 6).collect()
}
