//! Bodies that never end, and bodies that are too much.

use std::{
    io::{BufReader, Write},
    thread,
};

use crate::{
    heads::trickle,
    service::{Service, answer},
};

const OPENING: &str = "POST /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

#[test]
fn a_body_that_trickles_in_is_refused_after_ten_seconds() {
    let service = Service::start();
    let service = &service;
    thread::scope(|scope| {
        for framing in ["Content-Length: 60000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nea60\r\n"] {
            scope.spawn(move || {
                let mut stream = service.connect();
                stream.write_all(format!("{OPENING}{framing}").as_bytes()).unwrap();
                let trickled = trickle(&stream, b" ");
                trickled.is_given_up_within(9..15);
                assert_eq!(trickled.answer.unwrap().status, 408);
            });
        }
    });
    service.serves();
}

#[test]
fn a_body_that_nobody_reads_does_not_hold_the_connection() {
    let service = Service::start();
    let requests = [
        // A long one is not waited for: what still comes is thrown away for five seconds.
        ("DELETE /api/auth/v2/user HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 3..13),
        // A chunked one may end at any time, but not at any price.
        ("DELETE /api/auth/v2/user HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", 18..31),
    ];
    thread::scope(|scope| {
        for (request, seconds) in requests {
            let service = &service;
            scope.spawn(move || {
                let mut stream = service.connect();
                stream.write_all(request.as_bytes()).unwrap();
                assert_eq!(answer(&mut BufReader::new(&stream)).unwrap().status, 401);
                let trickled = trickle(&stream, b" ");
                trickled.is_given_up_within(seconds);
                assert!(trickled.answer.is_none_or(|late| late.status == 408));
            });
        }
    });
}

#[test]
fn an_oversized_body_is_413_and_is_not_kept() {
    let service = Service::start();
    service.serves();
    let before = service.memory();
    let sized = |length: usize| {
        let close = "Connection: close\r\n";
        format!("{OPENING}{close}Content-Length: {length}\r\n\r\n{}", " ".repeat(length))
    };
    for (length, expected) in [(64 * 1024, 400), (64 * 1024 + 1, 413), (20_000_000, 413)] {
        assert_eq!(service.statuses(sized(length).as_bytes()), [expected], "{length} bytes");
    }
    let chunks = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000)).repeat(100);
    let chunked = format!("{OPENING}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunks}0\r\n\r\n");
    assert_eq!(service.statuses(chunked.as_bytes()), [413]);
    let claimed = format!("{OPENING}Content-Length: 18446744073709551615\r\n\r\n{}", " ".repeat(100_000));
    assert_eq!(service.statuses(claimed.as_bytes()), [413]);
    let grown = service.memory().saturating_sub(before);
    assert!(grown < 20_000_000, "{grown} bytes");
}

#[test]
fn json_that_is_nested_or_repeated_without_end_is_400() {
    let service = Service::start();
    let nested = format!("{{\"email\":{}", "[".repeat(60_000));
    let objects = "{\"email\":".repeat(7_000);
    let repeated = format!("{{{}\"email\":\"a@example.org\"}}", "\"email\":\"a@example.org\",".repeat(2_500));
    let number = format!("{{\"email\":{}}}", "9".repeat(60_000));
    let escapes = format!("{{\"email\":\"{}\"}}", "\\ud800".repeat(10_000));
    for body in [nested, objects, repeated, number, escapes] {
        let length = format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        assert_eq!(service.statuses(format!("{OPENING}{length}{body}").as_bytes()), [400], "{}", &body[..20]);
    }
    service.serves();
}
