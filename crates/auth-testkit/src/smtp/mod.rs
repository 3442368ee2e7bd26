//! A mail server for tests, on a real socket of this machine: it takes mails, and misbehaves as it is told.
//!
//! ```
//! use auth_testkit::smtp::{SmtpServer, Step, Whim};
//!
//! let server = SmtpServer::start();
//! server.once(Step::Recipient, Whim::reply("451 4.7.1 greylisted"));
//! // … hand it a mail twice: it takes the second attempt.
//! assert!(server.mails().is_empty());
//! ```

mod authority;
mod base64;
mod conversation;
mod shared;
mod stream;

use std::{
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, MutexGuard},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustls::ServerConfig;

pub use authority::Authority;
use shared::{Shared, State};

/// A running mail server. It ends when it is dropped.
pub struct SmtpServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

/// What a server offers. The default takes mail from everybody, unencrypted, international addresses included.
#[derive(Clone)]
pub struct Offer {
    /// Whether and how connections are encrypted.
    pub encryption: Encryption,
    /// The user and password that it asks for, if any.
    pub login: Option<(&'static str, &'static str)>,
    /// The ways in which they can be told.
    pub mechanisms: &'static str,
    /// Whether addresses outside ASCII are taken.
    pub smtputf8: bool,
}

/// Whether and how connections are encrypted.
#[derive(Clone)]
pub enum Encryption {
    /// Not at all.
    Never,
    /// After STARTTLS.
    StartTls(Arc<ServerConfig>),
    /// From the first octet.
    Implicit(Arc<ServerConfig>),
}

/// A point of the conversation at which a server can misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The greeting.
    Greeting,
    /// The answer to EHLO.
    Hello,
    /// The answer to STARTTLS.
    StartTls,
    /// The answer to AUTH.
    LogIn,
    /// The answer to MAIL.
    Sender,
    /// The answer to RCPT.
    Recipient,
    /// The answer to DATA.
    Data,
    /// The answer to a whole message.
    Message,
}

/// How a server misbehaves.
#[derive(Debug, Clone)]
pub enum Whim {
    /// It answers this instead. A message that is refused like this is not kept.
    Reply(String),
    /// It answers as it should, but only after a while.
    Delay(Duration),
    /// It answers as it should, but not before it is [told to](SmtpServer::answer).
    Withhold,
    /// It never answers, and keeps the connection open.
    Hang,
    /// It closes the connection instead of answering. A message that it was given is kept all the same.
    Drop,
}

/// A mail that was taken.
#[derive(Debug, Clone)]
pub struct TakenMail {
    /// The sender of the envelope.
    pub from: String,
    /// What was asked for the mail besides: `SMTPUTF8`, `BODY=8BITMIME`.
    pub parameters: String,
    /// The recipient of the envelope.
    pub to: String,
    /// The message.
    pub text: String,
    /// Whether it came encrypted.
    pub encrypted: bool,
    /// Who had logged in.
    pub user: Option<String>,
    /// Which connection it came on, counted from 1.
    pub connection: usize,
}

impl Default for Offer {
    fn default() -> Self {
        Self { encryption: Encryption::Never, login: None, mechanisms: "PLAIN LOGIN", smtputf8: true }
    }
}

impl Whim {
    /// Answers `text` instead, which may have several lines.
    pub fn reply(text: &str) -> Self {
        Self::Reply(text.to_owned())
    }
}

impl SmtpServer {
    /// A server that takes everything, on a port that is free.
    pub fn start() -> Self {
        Self::start_with(Offer::default())
    }

    /// A server with this offer.
    pub fn start_with(offer: Offer) -> Self {
        let shared = Arc::new(Shared::new(offer));
        let mut server = Self { shared, address: (Ipv4Addr::LOCALHOST, 0).into(), accepting: None };
        server.resume();
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Misbehaves at the next time that it comes to `step`; told several times, at as many times.
    pub fn once(&self, step: Step, whim: Whim) {
        self.state().once.push_back((step, whim));
    }

    /// Misbehaves whenever it comes to `step`.
    pub fn always(&self, step: Step, whim: Whim) {
        self.state().always.push((step, whim));
    }

    /// Behaves from now on.
    pub fn behave(&self) {
        let mut state = self.state();
        state.once.clear();
        state.always.clear();
    }

    /// The mails that it has taken.
    pub fn mails(&self) -> Vec<TakenMail> {
        self.state().mails.clone()
    }

    /// The mails that it has taken since there were `count` of them.
    pub fn mails_after(&self, count: usize) -> Vec<TakenMail> {
        self.state().mails.get(count..).unwrap_or_default().to_vec()
    }

    /// The commands that it has been given, as they came.
    pub fn commands(&self) -> Vec<String> {
        self.state().commands.clone()
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        self.state().open.len()
    }

    /// How many connections have been open at the same time.
    pub fn most_open_connections(&self) -> usize {
        self.state().most_open
    }

    /// On how many connections somebody waits just now for an answer that it withholds, for ever or until it is told.
    pub fn withheld(&self) -> usize {
        self.state().withheld
    }

    /// Gives the answers that it withholds.
    pub fn answer(&self) {
        self.shared.tell_to_answer();
    }

    /// Closes all connections without a word.
    pub fn hang_up(&self) {
        for connection in self.state().open.values() {
            let _gone_already = connection.shutdown(Shutdown::Both);
        }
    }

    /// Goes away: connections are closed, new ones refused.
    pub fn stop(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        self.state().is_stopping = true;
        // Wakes it up.
        let _refused_already = TcpStream::connect(self.address);
        accepting.join().expect("the server ends well");
        self.hang_up();
        self.answer();
    }

    /// Comes back where it was.
    pub fn resume(&mut self) {
        self.stop();
        let listener = TcpListener::bind(self.address).expect("the port is free");
        self.address = listener.local_addr().expect("it is bound");
        self.state().is_stopping = false;
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(thread::spawn(move || shared.accept(&listener)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.stop();
    }
}
