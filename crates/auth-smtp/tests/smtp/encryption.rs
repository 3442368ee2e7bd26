#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use auth_domain::Mailer;
use auth_testkit::smtp::{Authority, Encryption, Offer, SmtpServer, Step, Whim};
use tempfile::TempDir;

use crate::mailing::{deferred, mailer, notice};

/// An authority, and a place where its certificate lies.
struct Vouched {
    authority: Authority,
    folder: TempDir,
}

impl Vouched {
    fn new() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        Self { authority, folder }
    }

    fn start(&self, name: &str, encryption: fn(std::sync::Arc<rustls::ServerConfig>) -> Encryption) -> SmtpServer {
        SmtpServer::start_with(Offer { encryption: encryption(self.authority.certify(name)), ..Offer::default() })
    }

    /// A URL of `server` as `localhost`, which trusts the authority.
    fn url(&self, scheme: &str, login: &str, server: &SmtpServer) -> String {
        let ca = self.folder.path().join("ca.pem");
        format!("{scheme}://{login}localhost:{}?ca={}", server.address().port(), ca.display())
    }
}

/// Fails unless nothing but greetings went over the wire in the clear.
fn told_nothing(server: &SmtpServer) {
    let commands = server.commands();
    let is_harmless = |command: &String| ["EHLO", "STARTTLS", "QUIT"].iter().any(|verb| command.starts_with(verb));
    assert!(commands.iter().all(is_harmless), "{commands:?}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn mails_travel_encrypted_after_starttls_and_from_the_first_octet() {
    let vouched = Vouched::new();
    for (scheme, encryption) in [("smtp", Encryption::StartTls as fn(_) -> _), ("smtps", Encryption::Implicit)] {
        let server = vouched.start("localhost", encryption);
        let mailer = mailer(&vouched.url(scheme, "", &server));
        for _ in 0..3 {
            mailer.deliver(&notice()).await.unwrap();
        }
        assert_eq!(server.mails().iter().filter(|mail| mail.encrypted).count(), 3, "{scheme}");
        assert_eq!(server.connections(), 1, "{scheme}");
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let server = SmtpServer::start_with(Offer { login: Some(("ada", "hunter2")), ..Offer::default() });
    let mailer = mailer(&format!("smtp://ada:hunter2@{}", server.address()));
    let told = deferred(&mailer, &notice()).await;
    assert_eq!(told, "no connection: the server does not offer STARTTLS, and mail.url requires it");
    told_nothing(&server);
}

#[tokio::test]
async fn a_server_that_refuses_to_encrypt_gets_nothing() {
    let vouched = Vouched::new();
    let server = vouched.start("localhost", Encryption::StartTls);
    server.always(Step::StartTls, Whim::reply("454 4.7.0 not just now"));
    let told = deferred(&mailer(&vouched.url("smtp", "ada:hunter2@", &server)), &notice()).await;
    assert_eq!(told, "no connection: 454 4.7.0 not just now");
    told_nothing(&server);
}

#[tokio::test]
async fn a_server_nobody_vouches_for_gets_nothing() {
    let (vouched, stranger) = (Vouched::new(), Vouched::new());
    for (scheme, encryption) in [("smtp", Encryption::StartTls as fn(_) -> _), ("smtps", Encryption::Implicit)] {
        let server = stranger.start("localhost", encryption);
        let told = deferred(&mailer(&vouched.url(scheme, "ada:hunter2@", &server)), &notice()).await;
        assert!(told.starts_with("no connection: invalid peer certificate"), "{told}");
        let public = format!("{scheme}://ada:hunter2@localhost:{}", server.address().port());
        let told = deferred(&mailer(&public), &notice()).await;
        assert!(told.starts_with("no connection: invalid peer certificate"), "{told}");
        told_nothing(&server);
    }
}

#[tokio::test]
async fn a_server_with_somebody_elses_certificate_gets_nothing() {
    let vouched = Vouched::new();
    for (scheme, encryption) in [("smtp", Encryption::StartTls as fn(_) -> _), ("smtps", Encryption::Implicit)] {
        let server = vouched.start("mail.example.org", encryption);
        let told = deferred(&mailer(&vouched.url(scheme, "ada:hunter2@", &server)), &notice()).await;
        assert!(told.contains("certificate not valid for name \"localhost\""), "{told}");
        told_nothing(&server);
    }
}

#[tokio::test]
async fn opportunistic_is_encrypted_where_that_is_offered_whoever_offers_it() {
    let server = Vouched::new().start("mail.example.org", Encryption::StartTls);
    mailer(&format!("smtp://{}?tls=opportunistic", server.address())).deliver(&notice()).await.unwrap();
    assert!(server.mails()[0].encrypted);

    let server = SmtpServer::start();
    mailer(&format!("smtp://{}?tls=opportunistic", server.address())).deliver(&notice()).await.unwrap();
    assert!(!server.mails()[0].encrypted);
}

#[tokio::test]
async fn opportunistic_does_not_fall_back_once_encryption_was_offered() {
    let server = Vouched::new().start("localhost", Encryption::StartTls);
    server.always(Step::StartTls, Whim::reply("454 4.7.0 not just now"));
    let told = deferred(&mailer(&format!("smtp://{}?tls=opportunistic", server.address())), &notice()).await;
    assert_eq!(told, "no connection: 454 4.7.0 not just now");
    told_nothing(&server);
}

#[tokio::test]
async fn lines_put_in_after_the_answer_to_starttls_break_the_encryption() {
    let vouched = Vouched::new();
    let server = vouched.start("localhost", Encryption::StartTls);
    server.always(Step::StartTls, Whim::reply("220 go ahead\r\n250-localhost\r\n250 AUTH PLAIN\r\n235 welcome"));
    deferred(&mailer(&vouched.url("smtp", "ada:hunter2@", &server)), &notice()).await;
    told_nothing(&server);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_gets_nothing() {
    let server = SmtpServer::start();
    let told =
        deferred(&mailer(&format!("smtps://ada:hunter2@localhost:{}", server.address().port())), &notice()).await;
    assert!(told.starts_with("no connection: "), "{told}");
    assert!(server.commands().iter().all(|line| !line.contains("EHLO")), "{:?}", server.commands());
}

#[tokio::test]
async fn a_log_in_is_told_to_a_verified_server_in_whichever_way_it_knows() {
    let vouched = Vouched::new();
    for mechanisms in ["PLAIN LOGIN", "LOGIN", "CRAM-MD5 PLAIN"] {
        let encryption = Encryption::StartTls(vouched.authority.certify("localhost"));
        let login = Some(("ada@example.org", "p:ss/word?"));
        let server = SmtpServer::start_with(Offer { encryption, login, mechanisms, ..Offer::default() });
        let mailer = mailer(&vouched.url("smtp", "ada%40example.org:p%3Ass%2Fword%3F@", &server));
        mailer.deliver(&notice()).await.unwrap();
        let [taken] = server.mails().try_into().unwrap();
        assert_eq!((taken.user.as_deref(), taken.encrypted), (Some("ada@example.org"), true), "{mechanisms}");
    }
}
