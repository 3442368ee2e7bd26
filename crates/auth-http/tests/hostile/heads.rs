//! Heads that never end, and heads that are too much.

use std::{
    io::{BufReader, Write},
    net::TcpStream,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::time::Instant;

use crate::service::{Answer, Service, answer};

/// How long a client could keep the service waiting.
#[derive(Debug)]
pub(crate) struct Trickled {
    /// What it was told in the end, unless the connection was just closed.
    pub(crate) answer: Option<Answer>,
    pub(crate) taken: Duration,
    bytes: u32,
}

impl Trickled {
    /// Fails if the service gave up before `seconds.start` or after `seconds.end`.
    ///
    /// A machine that is busy gives up late, and sends late as well. So the end is measured in bytes sent: four a second.
    pub(crate) fn is_given_up_within(&self, seconds: Range<u32>) {
        assert!(self.taken >= Duration::from_secs(seconds.start.into()) && self.bytes <= seconds.end * 4, "{self:?}");
    }
}

/// Sends a byte of `bytes` four times a second, over and over, until an answer is there or the connection is closed.
pub(crate) fn trickle(stream: &TcpStream, bytes: &[u8]) -> Trickled {
    let begun = Instant::now();
    let mut sending = stream.try_clone().unwrap();
    let bytes = bytes.to_vec();
    let is_over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&is_over);
    let sender = thread::spawn(move || {
        let mut sent = 0;
        for byte in bytes.iter().cycle() {
            if stop.load(Ordering::Relaxed) || sending.write_all(&[*byte]).is_err() {
                break;
            }
            sent += 1;
            thread::sleep(Duration::from_millis(250));
        }
        sent
    });
    let answer = answer(&mut BufReader::new(stream));
    let taken = begun.elapsed();
    is_over.store(true, Ordering::Relaxed);
    Trickled { answer, taken, bytes: sender.join().unwrap() }
}

#[test]
fn a_first_head_that_trickles_in_is_refused_after_five_seconds() {
    let service = Service::start();
    let mut slow: Vec<_> = (0..50).map(|_| service.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nx: ").unwrap();
    }
    let trickling: Vec<_> =
        slow.into_iter().map(|stream| thread::spawn(move || trickle(&stream, b"abcdefg"))).collect();
    service.serves();
    for one in trickling {
        let trickled = one.join().unwrap();
        trickled.is_given_up_within(4..9);
        assert_eq!(trickled.answer.unwrap().status, 408);
    }
}

#[test]
fn a_later_head_that_trickles_in_is_refused_after_twenty_to_twenty_five_seconds() {
    let service = Service::start();
    let mut stream = service.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(answer(&mut BufReader::new(&stream)).unwrap().status, 200);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nx: ").unwrap();
    let trickled = trickle(&stream, b"abcdefg");
    trickled.is_given_up_within(19..29);
    let answer = trickled.answer.unwrap();
    assert_eq!(answer.status, 408);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
}

#[test]
fn a_head_of_too_many_lines_or_bytes_is_431() {
    let service = Service::start();
    let head = |fields: &str| format!("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n");
    for (fields, expected) in [
        ("a: b\r\n".repeat(94), 200),
        ("a: b\r\n".repeat(95), 431),
        ("a: b\r\n".repeat(100_000), 431),
        (format!("a: {}\r\n", "b".repeat(120_000)), 200),
        (format!("a: {}\r\n", "b".repeat(140_000)), 431),
        (format!("{}: b\r\n", "a".repeat(140_000)), 431),
    ] {
        assert_eq!(service.statuses(head(&fields).as_bytes()), [expected], "{} bytes", fields.len());
    }
    let path = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "a".repeat(length));
    for (length, expected) in [(60_000, 404), (70_000, 400), (140_000, 431)] {
        assert_eq!(service.statuses(path(length).as_bytes()), [expected], "a path of {length} bytes");
    }
    service.serves();
}

#[test]
fn heads_that_never_end_take_no_more_memory_than_the_largest_head_each() {
    let service = Service::start();
    service.serves();
    let before = service.memory();
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\na: {}", "b".repeat(130_000));
    let mut streams: Vec<_> = (0..200).map(|_| service.connect()).collect();
    for stream in &mut streams {
        stream.write_all(head.as_bytes()).unwrap();
    }
    service.serves();
    let each = service.memory().saturating_sub(before) / 200;
    assert!(each < 400 * 1024, "{each} bytes for each connection");
}
