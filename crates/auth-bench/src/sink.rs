//! A mail server on this machine that takes everything at once, counts it, and reads the codes.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::Measured;

/// The mail server, on a port of its own. It stops with the runtime.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    taken: AtomicU64,
    /// Who waits for the code that is sent to an address.
    awaited: Mutex<HashMap<String, oneshot::Sender<String>>>,
}

impl Sink {
    pub(crate) async fn start() -> Measured<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, shared) = (listener.local_addr()?, Arc::new(Shared::default()));
        let taking = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&taking)));
            }
        });
        Ok(Self { address, shared })
    }

    /// The setting `mail.url` for it.
    pub(crate) fn url(&self) -> String {
        format!("smtp://{}?tls=none", self.address)
    }

    /// How many mails it has taken.
    pub(crate) fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::Relaxed)
    }

    /// The next code that is sent to `address`. To be called before it is asked for.
    pub(crate) fn code_for(&self, address: &str) -> oneshot::Receiver<String> {
        let (sender, receiver) = oneshot::channel();
        self.shared.awaited().insert(address.to_owned(), sender);
        receiver
    }
}

impl Shared {
    fn take(&self, recipient: &str, mail: &str) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        if let (Some(waiting), Some(code)) = (self.awaited().remove(recipient), code_in(mail)) {
            let _gone_away = waiting.send(code);
        }
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<String>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 5321, as far as a client that never errs needs it.
async fn converse(stream: TcpStream, shared: Arc<Shared>) -> Measured<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let (mut line, mut mail, mut recipient) = (String::new(), String::new(), String::new());
    writer.write_all(b"220 sink\r\n").await?;
    loop {
        line.clear();
        if reader.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let reply: &[u8] = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                address.clone_into(&mut recipient);
                b"250 ok\r\n"
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                mail.clear();
                while !mail.ends_with("\r\n.\r\n") && reader.read_line(&mut mail).await? > 0 {}
                shared.take(&recipient, &mail);
                b"250 taken\r\n"
            }
            "QUIT" => return Ok(writer.write_all(b"221 bye\r\n").await?),
            _ => b"250 ok\r\n",
        };
        writer.write_all(reply).await?;
    }
}

/// The one run of six digits that the body of a code mail has.
fn code_in(mail: &str) -> Option<String> {
    let (_head, body) = mail.split_once("\r\n\r\n")?;
    let runs = body.split(|c: char| !c.is_ascii_digit());
    runs.into_iter().find(|run| run.len() == 6).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_from_the_body_and_nowhere_else() {
        let mail = "Message-ID: <123456@example.org>\r\n\r\nYour code, until 2026:\r\n\r\n654321\r\n.\r\n";
        assert_eq!(code_in(mail).as_deref(), Some("654321"));
        assert_eq!(code_in("Subject: x\r\n\r\nNothing.\r\n.\r\n"), None);
    }
}
