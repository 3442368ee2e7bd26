//! What mail servers say.

use std::{num::NonZero, time::Duration};

use auth_domain::{EmailAddress, Language, Mail, MailContent, MailError, MailId, Mailer as _, Notice, Timestamp};
use auth_smtp::SmtpMailer;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    time::timeout,
};
use uuid::Uuid;

const RECIPIENT: &str = "ada.lovelace@example.org";

/// What is kept of a reply is one short line without the recipient, any other address, and anything that could be a code.
pub(crate) fn replies(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for text in [&*text, &format!("550 {text} <{RECIPIENT}>{text}ADA.Lovelace{text}")] {
        let kept = auth_smtp::told(550, text, RECIPIENT);
        assert!(kept.starts_with("550") && kept.chars().count() <= 201, "{kept:?}");
        is_fit_to_be_kept(&kept);
    }
}

fn is_fit_to_be_kept(line: &str) {
    assert!(!line.contains(char::is_control) && !line.contains('@'), "{line:?}");
    assert!(!line.to_lowercase().contains("ada.lovelace"), "{line:?}");
    let digits = |run: &[u8]| run.iter().all(u8::is_ascii_digit);
    assert!(!line.as_bytes().windows(6).any(digits), "{line:?}");
}

/// Whatever a mail server says, and whenever: a mail counts as taken only when all of it was sent, and what is kept of it all is
/// one line. Between two zero octets is what it says to one command.
pub(crate) fn mail_servers(input: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}?tls=none", listener.local_addr().unwrap()).parse().unwrap();
        let mailer = SmtpMailer::new(url, "auth@example.org".parse().unwrap(), NonZero::<u16>::MIN).unwrap();
        let mail = Mail {
            id: MailId::from(Uuid::from_u128(1)),
            to: EmailAddress::parse(RECIPIENT).unwrap(),
            language: Language::default(),
            content: MailContent::Notice(Notice::AddressAdded),
            created_at: Timestamp::from_unix_millis(0),
        };
        let delivering = async {
            let delivered = mailer.deliver(&mail).await;
            drop(mailer);
            delivered
        };
        let (delivered, took_all) = tokio::join!(delivering, converse(listener, input));
        let (kept, is_taken) = match delivered {
            Ok(reply) => (reply, true),
            Err(MailError::Transient(why) | MailError::Permanent(why)) => (why, false),
        };
        assert!(took_all || !is_taken, "it was not sent: {kept:?}");
        is_fit_to_be_kept(&kept);
    });
}

/// Says all of it to the first who connects, and returns whether a whole message came in.
async fn converse(listener: TcpListener, input: &[u8]) -> bool {
    let (stream, _) = listener.accept().await.unwrap();
    // Nobody else is let in.
    drop(listener);
    let mut stream = BufReader::new(stream);
    let mut replies = input.split(|octet| *octet == 0);
    let (mut is_message, mut took_all) = (false, false);
    loop {
        if !is_message && let Some(reply) = replies.next() {
            let _gone_perhaps = stream.write_all(reply).await;
        }
        let mut line = Vec::new();
        // Who waits for the rest of a reply would wait for long.
        match timeout(Duration::from_millis(50), stream.read_until(b'\n', &mut line)).await {
            Ok(Ok(count)) if count > 0 => {}
            _ => return took_all,
        }
        took_all |= is_message && line == b".\r\n";
        is_message = line == b"DATA\r\n" || (is_message && line != b".\r\n");
        if line == b"DATA\r\n"
            && let Some(reply) = replies.next()
        {
            let _gone_perhaps = stream.write_all(reply).await;
        }
    }
}
