//! Asking a service that runs on this machine whether it is ready, for containers that have no other program.

mod any_certificate;

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use rustls::{ClientConnection, StreamOwned};

/// What connecting may take, and each turn of the exchange. The service itself answers within two seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// The longest answer that is read, in octets.
const LONGEST_ANSWER: u64 = 16 * 1024;

/// Why a service is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// Nobody answers there.
    #[error("no answer from {address}")]
    Silent {
        /// Where it was asked.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// It answers, and is not ready.
    #[error("not ready: {0}")]
    NotReady(String),
}

/// Asks the service that listens on `bind` whether it can serve requests (`GET /readyz`), over TLS if that is what it speaks.
pub fn ask(bind: SocketAddr, tls: bool) -> Result<(), Unhealthy> {
    let address = reachable(bind);
    let answer = exchange(address, tls).map_err(|source| Unhealthy::Silent { address, source })?;
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") {
        return Ok(());
    }
    let reason = lines.find_map(|line| line.strip_prefix("x-error: ")).unwrap_or("what answers is another service");
    Err(Unhealthy::NotReady(reason.to_owned()))
}

/// Where a service that listens on `bind` can be reached from its own machine.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

fn exchange(address: SocketAddr, tls: bool) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, ANSWERED_WITHIN)?;
    stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
    stream.set_write_timeout(Some(ANSWERED_WITHIN))?;
    if tls {
        let name = address.ip().into();
        let connection = ClientConnection::new(any_certificate::accepted(), name).map_err(io::Error::other)?;
        asked_on(StreamOwned::new(connection, stream), address)
    } else {
        asked_on(stream, address)
    }
}

fn asked_on(mut stream: impl Read + Write, address: SocketAddr) -> io::Result<String> {
    stream.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_listens_everywhere_is_asked_on_the_loopback_interface() {
        for (bind, expected) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("192.0.2.7:80", "192.0.2.7:80"),
        ] {
            assert_eq!(reachable(bind.parse().unwrap()).to_string(), expected);
        }
    }
}
