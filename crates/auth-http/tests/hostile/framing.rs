//! Requests whose end is a matter of opinion: what a proxy in front takes for a body must not become a request here
//! (request smuggling, RFC 9112 §11.2).

use crate::service::Service;

/// What nobody must be able to hide in a body.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn a_request_with_two_ends_is_refused_and_the_connection_is_closed() {
    let service = Service::start();
    let length = HIDDEN.len();
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding: chunked\r\nContent-Length: 4".to_owned(),
        format!("Content-Length: 0\r\nContent-Length: {length}"),
        format!("Content-Length: {length}\r\nContent-Length: {length}"),
        format!("Content-Length: {length}, {length}"),
        format!("Content-Length: +{length}"),
        format!("Content-Length: -{length}"),
        format!("Content-Length: 0x{length:x}"),
        format!("Content-Length: {length} 0"),
        format!("Content-Length:\u{b}{length}"),
        "Content-Length: 99999999999999999999999999".to_owned(),
        "Content-Length:".to_owned(),
        format!("Content-Length : {length}"),
        "Transfer-Encoding : chunked".to_owned(),
        " Transfer-Encoding: chunked".to_owned(),
        "X: y\r\n Transfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding:\u{b}chunked".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: gzip, chunked".to_owned(),
        "Transfer-Encoding: identity".to_owned(),
        "Transfer-Encoding: \"chunked\"".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding:".to_owned(),
        "X: y\rTransfer-Encoding: chunked".to_owned(),
        "X: y\0".to_owned(),
        "Host: y".to_owned(),
    ] {
        let request = format!("POST /healthz HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n0\r\n\r\n{HIDDEN}");
        assert_eq!(service.statuses(request.as_bytes()), [400], "{fields}");
    }
    let old = format!("POST /healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}");
    assert_eq!(service.statuses(old.as_bytes()), [400], "HTTP/1.0 has no chunks");
}

#[test]
fn chunks_that_are_not_framed_to_the_letter_are_refused_and_the_connection_is_closed() {
    let service = Service::start();
    let head = "POST /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    for chunks in [
        "2\n{}\r\n0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r{}\r\n0\r\n\r\n",
        "2;a\nb\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "2 2\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffff0\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
    ] {
        assert_eq!(service.statuses(format!("{head}{chunks}{HIDDEN}").as_bytes()), [400], "{chunks:?}");
    }
    let sound = format!("{head}2;extension=\"x\"\r\n{{}}\r\n0\r\nTrailer: y\r\n\r\n{HIDDEN}GARBAGE\r\n\r\n");
    assert_eq!(service.statuses(sound.as_bytes()), [400, 200, 400], "a body of {{}}, the request behind it, garbage");
}

#[test]
fn a_body_is_never_taken_for_a_request() {
    let service = Service::start();
    let length = HIDDEN.len();
    for (request, expected) in [
        // Endpoints that take no body, or refuse before they look at it.
        (format!("GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"), 200),
        (format!("GET /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"), 401),
        (format!("DELETE /api/auth/v2/user HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"), 401),
        (format!("POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"), 404),
        (format!("POST /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"), 415),
        // Protocols that are not spoken here.
        (
            format!(
                "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Content-Length: {length}\r\n\r\n{HIDDEN}"
            ),
            200,
        ),
        (format!("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n{HIDDEN}"), 404),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 400),
        (format!("TRACE /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"), 405),
    ] {
        // So that the connection is closed in any case.
        let statuses = service.statuses(format!("{request}GARBAGE\r\n\r\n").as_bytes());
        assert_eq!(statuses.first(), Some(&expected), "{request}");
        let hidden = statuses.iter().skip(1).filter(|status| **status == 200).count();
        assert_eq!(hidden, 0, "{request} {statuses:?}");
    }
}

#[test]
fn a_line_that_ends_in_a_bare_line_feed_is_a_line_and_nothing_else() {
    let service = Service::start();
    // RFC 9112 §2.2 lets a server take it. It must then do so everywhere in a head.
    assert_eq!(service.statuses(b"GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n"), [200]);
    assert_eq!(
        service.statuses(b"POST /healthz HTTP/1.1\r\nHost: x\r\nX: y\nContent-Length: 4\nContent-Length: 5\r\n\r\n"),
        [400]
    );
}
