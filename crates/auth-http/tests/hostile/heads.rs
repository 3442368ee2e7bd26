//! Heads that never end, and heads that are too much.

use std::{
    io::{BufReader, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use tokio::time::Instant;

use crate::service::{Answer, Service, answer};

/// Sends an octet of this, over and over, until an answer is there or the connection is closed; and how long that took.
pub(crate) fn trickle(stream: &TcpStream, octets: &[u8]) -> (Option<Answer>, Duration) {
    let begun = Instant::now();
    let mut sending = stream.try_clone().unwrap();
    let octets = octets.to_vec();
    let sender = thread::spawn(move || {
        for octet in octets.iter().cycle() {
            if sending.write_all(&[*octet]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(250));
        }
    });
    let answer = answer(&mut BufReader::new(stream));
    let taken = begun.elapsed();
    let _closed_already = stream.shutdown(std::net::Shutdown::Both);
    sender.join().unwrap();
    (answer, taken)
}

fn within(range: std::ops::RangeInclusive<u64>, taken: Duration) {
    assert!(range.contains(&taken.as_secs()), "{taken:?}");
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
    assert!(service.serves() < Duration::from_secs(1));
    for one in trickling {
        let (answer, taken) = one.join().unwrap();
        assert_eq!(answer.unwrap().status, 408);
        within(4..=8, taken);
    }
}

#[test]
fn a_later_head_that_trickles_in_is_refused_after_twenty_to_twenty_five_seconds() {
    let service = Service::start();
    let mut stream = service.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(answer(&mut BufReader::new(&stream)).unwrap().status, 200);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nx: ").unwrap();
    let (answer, taken) = trickle(&stream, b"abcdefg");
    let answer = answer.unwrap();
    assert_eq!(answer.status, 408);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    within(19..=28, taken);
}

#[test]
fn a_head_of_too_many_lines_or_octets_is_431() {
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
        assert_eq!(service.statuses(head(&fields).as_bytes()), [expected], "{} octets", fields.len());
    }
    let path = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "a".repeat(length));
    for (length, expected) in [(60_000, 404), (70_000, 400), (140_000, 431)] {
        assert_eq!(service.statuses(path(length).as_bytes()), [expected], "a path of {length} octets");
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
    assert!(service.serves() < Duration::from_secs(2));
    let each = service.memory().saturating_sub(before) / 200;
    assert!(each < 400 * 1024, "{each} octets for each connection");
}
