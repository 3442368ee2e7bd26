//! What is protected: a server that answers everything with 200 and what it was asked, and remembers it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// A request as the upstream got it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) request_line: String,
    /// Names in lower case, in the order in which they came.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    /// All of it but the body, in lower case.
    head: String,
}

impl Seen {
    /// The values of all headers that a CGI program could take for `name`: it cannot tell `-` from `_`.
    pub(super) fn values(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(sent, _)| sent.replace('_', "-") == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            // A connection that is closed or silent for too long has no more requests.
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let headers = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let mut seen = Self {
            request_line: lines.first()?.clone(),
            headers,
            body: String::new(),
            head: lines.join("\n").to_lowercase(),
        };
        let length = seen.values("content-length").first().map_or(0, |length| length.parse().unwrap());
        reader.take(length).read_to_string(&mut seen.body).ok()?;
        Some(seen)
    }
}

/// Runs until the test process ends.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, sink) = (stream.unwrap(), Arc::clone(&sink));
                thread::spawn(move || serve(stream, &sink));
            }
        });
        Self { address, seen }
    }

    /// How many requests have come through.
    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The newest of them.
    pub(super) fn newest(&self) -> Seen {
        self.seen.lock().unwrap().last().expect("nothing has come through").clone()
    }
}

fn serve(mut stream: TcpStream, sink: &Mutex<Vec<Seen>>) {
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(seen) = Seen::read(&mut reader) {
        let asked = if seen.request_line.starts_with("HEAD ") { "" } else { &seen.head.clone() };
        sink.lock().unwrap().push(seen);
        let answer =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{asked}", asked.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
