#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::path::{Path, PathBuf};

use auth_domain::{CodeMail, Language, Mail, MailContent, Mailer, Notice, PortalUrl};
use auth_smtp::{FileMailer, Templates};
use tempfile::TempDir;

use crate::outbox::{code, header, known_code, long_digit_runs, mail, outbox, parts};

fn language(tag: &str) -> Language {
    Language::parse(tag).unwrap()
}

/// Every content there is, with the code 654321 where it has one.
fn contents() -> impl Iterator<Item = MailContent> {
    let codes = CodeMail::ALL.map(|mail| MailContent::Code(mail, known_code()));
    codes.into_iter().chain(Notice::ALL.map(MailContent::Notice)).chain([invitation()])
}

fn invitation() -> MailContent {
    MailContent::Invitation(PortalUrl::parse("https://app.example.org/?from=mail&to=you").unwrap())
}

/// A folder of templates.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(self, file: &str, content: &str) -> Self {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn read(&self) -> Templates {
        Templates::built_in().overridden_by(self.0.path()).unwrap()
    }

    /// What is told about the file, after its path.
    fn refused(&self, file: &str) -> String {
        let told = Templates::built_in().overridden_by(self.0.path()).unwrap_err().to_string();
        told.strip_prefix(self.path(file).to_str().unwrap()).unwrap_or_else(|| panic!("{told}")).to_owned()
    }
}

/// What `mail` looks like, written with `templates`.
async fn written(templates: Templates, mail: &Mail) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mailer = FileMailer::new(folder.path().to_owned(), "Auth <auth@localhost>".parse().unwrap()).unwrap();
    mailer.with_templates(templates.into()).deliver(mail).await.unwrap();
    std::fs::read_to_string(folder.path().join(format!("{}.eml", mail.id))).unwrap()
}

#[test]
fn english_and_spanish_are_built_in() {
    assert_eq!(Templates::built_in().languages().collect::<Vec<_>>(), [&language("en"), &language("es")]);
}

#[tokio::test]
async fn in_every_language_each_mail_is_ascii_in_short_lines_with_its_code_unbroken() {
    for tag in ["en", "es"] {
        for content in contents() {
            let (name, has_code) = (content.template(), content.code().is_some());
            let raw = outbox().send(&Mail { language: language(tag), ..mail(content) }).await;
            assert!(raw.is_ascii(), "{tag} {name}");
            assert!(raw.split("\r\n").all(|line| line.len() <= 78 && !line.contains(['\r', '\n'])), "{tag} {name}");
            let expected = if has_code { vec!["654321"; 3] } else { Vec::new() };
            assert_eq!(long_digit_runs(&raw), expected, "{tag} {name}");
            if has_code {
                assert!(header(&raw, "Subject").starts_with("654321 "), "{tag} {name}");
            }
        }
    }
}

#[tokio::test]
async fn no_code_makes_a_spanish_mail_look_as_if_it_had_another_one() {
    let outbox = outbox();
    for turn in 0..300 {
        let code = code();
        let digits = code.expose().to_owned();
        let content = MailContent::Code(CodeMail::ALL[turn % 4], code);
        let raw = outbox.send(&Mail { language: language("es"), ..mail(content) }).await;
        assert_eq!(long_digit_runs(&raw), [digits.as_str(); 3], "{raw}");
    }
}

#[tokio::test]
async fn letters_outside_ascii_are_encoded_as_the_standards_say() {
    let content = MailContent::Code(CodeMail::SignIn, known_code());
    let raw = outbox().send(&Mail { language: language("es"), ..mail(content) }).await;
    // "código" in base64.
    assert_eq!(header(&raw, "Subject"), "654321 es tu =?utf-8?b?Y8OzZGlnbw==?= de acceso");
    for part in parts(&raw) {
        assert_eq!(header(part, "Content-Transfer-Encoding"), "quoted-printable");
        assert!(part.contains("Tu c=C3=B3digo de acceso"), "{part}");
    }
}

#[tokio::test]
async fn a_language_that_is_not_there_gives_way_to_its_like_and_then_to_english() {
    for (tag, subject) in [("es-mx", "Se ha"), ("es", "Se ha"), ("de", "An address"), ("en-gb", "An address")] {
        let mail = Mail { language: language(tag), ..mail(MailContent::Notice(Notice::AddressAdded)) };
        let raw = outbox().send(&mail).await;
        assert!(raw.contains(&format!("\r\nSubject: {subject}")), "{tag}: {raw}");
    }
}

#[tokio::test]
async fn a_file_takes_the_place_of_the_built_in_one_and_of_no_other() {
    let folder = Folder::new()
        .with("en/sign-in-code.txt", "Subject: Acme: {code}\r\n\r\nHello,\r\nit is {code}.\r\n.\r\n")
        .with("en/.hidden", "")
        .with(".git/config", "");
    let raw = written(folder.read(), &mail(MailContent::Code(CodeMail::SignIn, known_code()))).await;
    assert_eq!(header(&raw, "Subject"), "Acme: 654321");
    let parts = parts(&raw);
    assert!(parts[0].ends_with("\r\n\r\nHello,\r\nit is 654321.\r\n.\r\n\r\n"), "{:?}", parts[0]);
    assert!(parts[1].contains("is signing in with this address"));
    let raw = written(folder.read(), &mail(MailContent::Code(CodeMail::SignUp, known_code()))).await;
    assert_eq!(header(&raw, "Subject"), "654321 is your sign-up code");
}

#[tokio::test]
async fn a_language_can_be_added_if_it_is_complete() {
    let mut folder = Folder::new();
    let mut missing = Vec::new();
    for content in contents() {
        let name = content.template();
        let (subject, gap) = match content {
            MailContent::Code(..) => ("{code}", "{code}"),
            MailContent::Notice(_) => ("", ""),
            MailContent::Invitation(_) => ("", "{url}"),
        };
        missing.extend([format!("pt-BR/{name}.txt"), format!("pt-BR/{name}.html")]);
        folder = folder
            .with(&format!("pt-BR/{name}.txt"), &format!("Subject: Olá {subject}\n\nOlá {gap}\n"))
            .with(&format!("pt-BR/{name}.html"), &format!("<p>Olá {gap}</p>\n"));
    }
    let templates = folder.read();
    assert!(templates.languages().any(|found| *found == language("pt-br")));
    let mail = Mail { language: language("pt-br"), ..mail(MailContent::Code(CodeMail::SignUp, known_code())) };
    assert_eq!(header(&written(templates, &mail).await, "Subject"), "=?utf-8?b?T2zDoQ==?= 654321");
    for file in missing {
        let path = folder.path(&file);
        let content = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let told = folder.refused(&file);
        assert_eq!(told, " is missing: a language that is not built in takes every mail, as .txt and as .html");
        folder = folder.with(&file, &content);
    }
}

#[tokio::test]
async fn an_invitation_links_to_its_page_in_text_and_html() {
    for tag in ["en", "es"] {
        let mail = Mail { language: language(tag), ..mail(invitation()) };
        let raw = written(Templates::built_in(), &mail).await;
        let parts = parts(&raw);
        let plain = parts[0].replace("=\r\n", "").replace("=3D", "=");
        let html = parts[1].replace("=\r\n", "").replace("=3D", "=");
        assert!(plain.contains("\r\nhttps://app.example.org/?from=mail&to=you\r\n"), "{tag}: {plain}");
        assert!(html.contains("href=\"https://app.example.org/?from=mail&amp;to=you\""), "{tag}: {html}");
        assert!(long_digit_runs(&raw).is_empty(), "{tag}");
    }
}

#[test]
fn what_is_no_template_is_named() {
    let no_language = " is no folder called after a language such as en or pt-br, or the second one for it";
    assert_eq!(Folder::new().with("english!/x.txt", "").refused("english!"), no_language);
    assert_eq!(Folder::new().with("README", "").refused("README"), no_language);
    let twice = Folder::new().with("EN/sign-in-code.html", "{code}").with("en/sign-in-code.html", "{code}");
    assert_eq!(twice.refused("en"), no_language);
    let typo = Folder::new().with("en/signin-code.txt", "Subject: {code}\n\n{code}\n");
    assert_eq!(typo.refused("en/signin-code.txt"), " is not called after a mail, as sign-in-code.txt is");
}

#[test]
fn a_flawed_file_is_named_with_what_is_wrong_with_it() {
    for (file, content, told) in [
        (
            "en/sign-in-code.txt",
            "Hello {code}",
            ": it does not begin with a line `Subject: …` of up to 150 characters and an empty line",
        ),
        ("en/sign-in-code.html", "<p>Hello</p>", ": {code} stands 0 times in its HTML, not once"),
        (
            "es/address-added.html",
            "<p>{code}</p>",
            ": {code} stands for nothing here: there is only {code}, in mails that carry one, and {url} in invitations",
        ),
        ("es/address-added.html", "", ": there is no text in it"),
        (
            "es/address-added.html",
            "#333333",
            ": its HTML has six digits in a row, as it is or encoded, which could be taken for a code",
        ),
    ] {
        assert_eq!(Folder::new().with(file, content).refused(file), told);
    }
    let long = Folder::new().with("en/sign-in-code.html", &"{code} ".repeat(10_000));
    assert_eq!(long.refused("en/sign-in-code.html"), ": it is longer than 64 KiB");
}

#[test]
fn a_folder_that_cannot_be_read_is_named() {
    let told = Templates::built_in().overridden_by(Path::new("nowhere")).unwrap_err().to_string();
    assert_eq!(told, "nowhere cannot be read");
    let folder = Folder::new().with("en/sign-in-code.html/x", "");
    assert_eq!(folder.refused("en/sign-in-code.html"), " cannot be read");
}
