//! A connection that stays open, and just enough HTTP/1.1 to ask the service something on it.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Measured, load::BASE};

/// The connection. One question at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// What is answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Head and body together.
    pub(crate) octets: usize,
    body: Vec<u8>,
}

impl Answer {
    /// What stands in the JSON of its body under `name`, which must be text.
    pub(crate) fn field(&self, name: &str) -> Measured<String> {
        let body: Value = serde_json::from_slice(&self.body)?;
        let text = body.get(name).and_then(Value::as_str).ok_or_else(|| format!("no {name} in {body}"))?;
        Ok(text.to_owned())
    }

    /// Itself, if it is what was hoped for.
    pub(crate) fn expect(self, status: u16) -> Measured<Self> {
        if self.status == status {
            return Ok(self);
        }
        Err(format!("answered {}: {}", self.status, String::from_utf8_lossy(&self.body)).into())
    }
}

/// The octets of a request. `headers` are lines that each end in CRLF.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let described = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Type: application/json\r\nContent-Length: {length}\r\n")
    };
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{described}\r\n{body}")
}

impl Connection {
    pub(crate) async fn to(address: SocketAddr) -> Measured<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    pub(crate) async fn get(&mut self, path: &str, headers: &str) -> Measured<Answer> {
        self.ask(request("GET", path, headers, "").as_bytes()).await
    }

    /// Sends `body` to a path of the public API.
    pub(crate) async fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Measured<Answer> {
        self.ask(request(method, &format!("{BASE}{path}"), headers, body).as_bytes()).await
    }

    pub(crate) async fn ask(&mut self, request: &[u8]) -> Measured<Answer> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the connection was closed".into());
            }
            if let Some(answer) = whole(&self.received)? {
                return Ok(answer);
            }
        }
    }
}

/// The answer in `received`, if all of it is there.
fn whole(received: &[u8]) -> Measured<Option<Answer>> {
    let Some(end) = received.windows(4).position(|octets| octets == b"\r\n\r\n") else { return Ok(None) };
    let (head, rest) = received.split_at(end + 4);
    let head = std::str::from_utf8(head)?.to_ascii_lowercase();
    let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).ok_or("no length")?;
    let length: usize = length.trim().parse()?;
    let body = rest.get(..length).map(<[u8]>::to_vec);
    Ok(body.map(|body| Answer { status, octets: head.len() + length, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_waited_for_until_all_of_it_is_there() {
        let octets = b"HTTP/1.1 202 Accepted\r\nContent-Length: 8\r\n\r\n{\"a\":\"b\"}";
        let octets = &octets[..octets.len() - 1];
        assert!(whole(&octets[..10]).unwrap().is_none());
        assert!(whole(&octets[..octets.len() - 1]).unwrap().is_none());
        let answer = whole(octets).unwrap().unwrap();
        assert_eq!((answer.status, answer.octets), (202, octets.len()));
    }
}
