//! Many requests in one go.

use std::io::{BufReader, Write};

use crate::service::{Service, answer};

#[test]
fn a_hundred_requests_in_one_go_are_answered_in_order() {
    let service = Service::start();
    let kinds = [
        ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /api/auth/v2/session HTTP/1.1\r\nHost: x\r\n\r\n", 401),
        ("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nGARBAGE", 405),
        (
            "POST /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: 27\r\n\r\n{\"email\":\"ada@example.org\"}",
            202,
        ),
    ];
    // An order that is no period of six.
    let chosen: Vec<_> = (0..100_usize).map(|n| kinds[(n * n + n / 6) % 6]).collect();
    let requests: String = chosen.iter().map(|(request, _)| *request).collect();
    let expected: Vec<_> = chosen.iter().map(|(_, status)| *status).collect();
    let mut stream = service.connect();
    stream.write_all(requests.as_bytes()).unwrap();
    let mut reader = BufReader::new(&stream);
    let statuses: Vec<_> = (0..100).map(|_| answer(&mut reader).unwrap().status).collect();
    assert_eq!(statuses, expected);
}
