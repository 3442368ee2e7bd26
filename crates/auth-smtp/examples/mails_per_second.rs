//! How many mails a second `SmtpMailer` hands to a mail server on this machine that takes everything:
//! `cargo run --release -p auth-smtp --example mails_per_second`.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::{error::Error, io::Write as _, net::SocketAddr, num::NonZero, sync::Arc, time::Duration};

use auth_domain::{
    Clock, CodeMail, EmailAddress, Language, Mail, MailContent, MailId, Mailer, VerificationCode,
    system::{SystemClock, SystemEntropy},
};
use auth_smtp::SmtpMailer;
use auth_testkit::smtp::{Authority, Encryption, Offer, SmtpServer};
use tokio::time::Instant;

/// How long each figure is measured.
const MEASURED_FOR: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let authority = Authority::new();
    let mut ca = tempfile::NamedTempFile::new()?;
    ca.write_all(authority.pem().as_bytes())?;
    let ca = ca.path().display();
    let certified = || authority.certify("localhost");
    let plain = |address: SocketAddr| format!("smtp://{address}?tls=none");
    let encrypted = |scheme: &str, address: SocketAddr| format!("{scheme}://localhost:{}?ca={ca}", address.port());
    for senders in [1, 32] {
        for (name, encryption) in [
            ("no TLS", Encryption::Never),
            ("STARTTLS", Encryption::StartTls(certified())),
            ("smtps", Encryption::Implicit(certified())),
        ] {
            let server = SmtpServer::start_with(Offer { encryption, ..Offer::default() });
            let url = match name {
                "no TLS" => plain(server.address()),
                "STARTTLS" => encrypted("smtp", server.address()),
                _ => encrypted("smtps", server.address()),
            };
            let connections = NonZero::new(senders).ok_or("no senders")?;
            let mailer = Arc::new(SmtpMailer::new(url.parse()?, "Auth <auth@localhost>".parse()?, connections)?);
            let per_second = measured(&mailer, senders).await?;
            println!("{senders:>3} senders, {name:<8}: {per_second:>6} mails a second");
        }
    }
    Ok(())
}

async fn measured(mailer: &Arc<SmtpMailer>, senders: u16) -> Result<u128, Box<dyn Error>> {
    let begun = Instant::now();
    let sending: Vec<_> = (0..senders)
        .map(|_| {
            let mailer = Arc::clone(mailer);
            tokio::spawn(async move {
                let mut sent = 0_u128;
                while begun.elapsed() < MEASURED_FOR {
                    mailer.deliver(&mail()?).await?;
                    sent += 1;
                }
                Ok::<_, Box<dyn Error + Send + Sync>>(sent)
            })
        })
        .collect();
    let mut sent = 0;
    for sender in sending {
        sent += sender.await?.map_err(|failed| failed.to_string())?;
    }
    Ok(sent * 1000 / begun.elapsed().as_millis())
}

fn mail() -> Result<Mail, Box<dyn Error + Send + Sync>> {
    let now = SystemClock.now();
    Ok(Mail {
        id: MailId::mint(now, &SystemEntropy)?,
        to: EmailAddress::parse("ada@example.org")?,
        language: Language::default(),
        content: MailContent::Code(CodeMail::SignIn, VerificationCode::mint(&SystemEntropy)?),
        created_at: now,
    })
}
