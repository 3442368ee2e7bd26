//! A client that keeps its connection, and a watch.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

/// How long an answer may take before the test fails, on any machine.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// All of an answer but what is random in it: whatever differs here tells something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    status_line: String,
    headers: BTreeSet<String>,
    body: String,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, received: Vec::with_capacity(4096) }
    }

    /// Sends a request and reads all of its answer. Returns how long that took, too.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &Value) -> (Duration, Answer) {
        let body = body.to_string();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: watch\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.received.clear();
        let mut chunk = [0; 4096];
        let begun = Instant::now();
        self.stream.write_all(request.as_bytes()).unwrap();
        let answered = loop {
            let count = self.stream.read(&mut chunk).unwrap();
            assert!(count > 0, "the connection is kept");
            self.received.extend_from_slice(&chunk[..count]);
            if let Some(answer) = whole(&self.received) {
                break answer;
            }
        };
        let took = begun.elapsed();
        let (head, body) = answered;
        (took, Answer { head: head.to_owned(), body: serde_json::from_str(body).unwrap() })
    }
}

/// Head and body, once all of them is there.
fn whole(received: &[u8]) -> Option<(&str, &str)> {
    let (head, body) = std::str::from_utf8(received).ok()?.split_once("\r\n\r\n")?;
    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
    (body.len() >= length).then_some((head, body))
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        status(&self.head)
    }

    pub(crate) fn shape(&self) -> Shape {
        let mut lines = self.head.lines();
        let status_line = lines.next().unwrap().to_owned();
        let headers = lines.map(|line| match line.split_once(": ").unwrap() {
            (name @ ("x-error-id" | "date"), value) => format!("{name}: {} bytes", value.len()),
            _ => line.to_owned(),
        });
        // In the order of the names: each thread of the server has one of its own.
        Shape { status_line, headers: headers.collect(), body: shape_of(&self.body) }
    }
}

impl Shape {
    pub(crate) fn status(&self) -> u16 {
        status(&self.status_line)
    }
}

fn status(head: &str) -> u16 {
    head["HTTP/1.1 ".len()..][..3].parse().unwrap()
}

/// Keys, types and lengths; of what is no text, the value.
fn shape_of(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{key}: {}", shape_of(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(shape_of).collect::<Vec<_>>().join(", ")),
        Value::String(text) => format!("{} bytes", text.len()),
        other => other.to_string(),
    }
}
