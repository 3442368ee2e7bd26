//! Answers that nobody reads.

use std::{
    io::{ErrorKind, Read, Write},
    thread,
    time::Duration,
};

use crate::service::Service;

const LARGE: &str = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n";
const SMALLEST: &str = "GET / HTTP/1.1\nHost:\n\n";
const SLOW: &str = "POST /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                    Content-Length: 27\r\n\r\n{\"email\":\"ada@example.org\"}";

#[test]
fn who_asks_and_does_not_read_costs_little_is_cut_off_and_keeps_nobody_from_being_served() {
    thread::scope(|scope| {
        let asked =
            [LARGE, SMALLEST, SLOW].map(|request| (request, scope.spawn(move || asks_and_does_not_read(request))));
        for (request, asking) in asked {
            let each = asking.join().unwrap();
            println!("{each} bytes for each connection that asks {:?} and does not read", &request[..16]);
        }
    });
}

/// Returns what each connection that does so costs, in bytes.
fn asks_and_does_not_read(request: &str) -> u64 {
    let service = Service::start();
    service.serves();
    let before = service.memory();
    let requests = request.repeat(1000);
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let (mut stream, requests) = (service.connect(), requests.clone());
            thread::spawn(move || {
                // Until nobody takes them any more; then it ends with the connection.
                loop {
                    if let Err(error) = stream.write_all(requests.as_bytes()) {
                        break error.kind();
                    }
                }
            })
        })
        .collect();
    let mut each = 0;
    for _ in 0..10 {
        thread::sleep(Duration::from_secs(1));
        each = each.max(service.memory().saturating_sub(before) / 20);
        service.serves();
    }
    assert!(each < 1024 * 1024, "{each} bytes for each connection");
    for one in asking {
        let ended = one.join().unwrap();
        assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "the service ends it: {ended:?}");
    }
    service.serves();
    each
}

#[test]
fn who_goes_away_with_requests_under_way_harms_nobody() {
    let service = Service::start();
    let requests = SLOW.repeat(10);
    for _ in 0..100 {
        let mut stream = service.connect();
        stream.write_all(requests.as_bytes()).unwrap();
        let mut first = [0];
        stream.read_exact(&mut first).unwrap();
    }
    service.serves();
}
