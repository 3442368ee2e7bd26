//! What is protected: a server that answers everything with 200 and remembers what it was asked.

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
        let mut seen = Self { request_line: lines.first()?.clone(), headers, body: String::new() };
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
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(seen) = Seen::read(&mut reader) {
        sink.lock().unwrap().push(seen);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nprotected";
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}
