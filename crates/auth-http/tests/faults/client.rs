//! One request to a service that may be gone at any moment.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// A service that lives has answered by then, whatever has failed behind it; 2.8 seconds are what it promises itself.
pub(crate) const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// A request to the API.
pub(crate) struct Request {
    head: String,
    body: String,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let head = format!("{method} /api/auth/v2{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        Self { head, body: String::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.extend([name, ": ", value, "\r\n"]);
        self
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.header("Content-Type", "application/json")
    }

    /// The answer of the service at `address`; `None` if no whole one came, and nobody knows what has come of the request.
    ///
    /// # Panics
    /// If it keeps the connection open and says nothing, and if it answers 503 without saying when to come back.
    pub(crate) fn send(&self, address: SocketAddr) -> Option<Answer> {
        match self.exchange(address) {
            Ok(answer) => read(&answer),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("no answer within {ANSWERED_WITHIN:?} to {}", self.head.lines().next().unwrap_or_default())
            }
            Err(_gone) => None,
        }
    }

    fn exchange(&self, address: SocketAddr) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWERED_WITHIN)?;
        stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
        let Self { head, body } = self;
        stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

fn read(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let length: usize = header("content-length: ")?.parse().ok()?;
    if body.len() < length {
        return None;
    }
    let status = head.get(9..12)?.parse().ok()?;
    assert!(status != 503 || header("retry-after: ").is_some(), "{answer}");
    Some(Answer { status, body: serde_json::from_str(body).ok()? })
}
