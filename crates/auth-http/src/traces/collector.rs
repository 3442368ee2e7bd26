use std::{
    fmt,
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use actix_web::http::Uri;
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tracing::{info, warn};

/// Where spans are sent below the collector's URL (OTLP 1.0, "OTLP/HTTP Request").
const SPANS: &str = "/v1/traces";
/// The port of OTLP over HTTP.
const USUAL_PORT: u16 = 4318;
/// What connecting may take, and each turn of the exchange.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// The longest answer that is read, in octets.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Where a collector takes spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorUrl {
    host: String,
    port: u16,
    path: String,
}

/// No URL of a collector. It is not quoted, since it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCollector {
    /// It cannot be read.
    #[error("not a URL such as http://127.0.0.1:4318")]
    NoUrl,
    /// It is not plain HTTP.
    #[error("only http:// is spoken: run a collector on this machine, and let that one go further")]
    Scheme,
    /// It has a user or a password.
    #[error("a collector takes neither user nor password")]
    Credentials,
}

impl FromStr for CollectorUrl {
    type Err = InvalidCollector;

    fn from_str(url: &str) -> Result<Self, InvalidCollector> {
        let uri: Uri = url.parse().map_err(|_unreadable| InvalidCollector::NoUrl)?;
        let authority = uri.authority().ok_or(InvalidCollector::NoUrl)?;
        if uri.scheme_str() != Some("http") {
            return Err(InvalidCollector::Scheme);
        }
        if authority.as_str().contains('@') {
            return Err(InvalidCollector::Credentials);
        }
        if authority.host().is_empty() || uri.query().is_some() {
            return Err(InvalidCollector::NoUrl);
        }
        Ok(Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(USUAL_PORT),
            path: format!("{}{SPANS}", uri.path().trim_end_matches('/')),
        })
    }
}

impl fmt::Display for CollectorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

/// A collector, each time on a new connection. Called on a thread that has nothing else to do, so it may block.
#[derive(Debug)]
pub(super) struct Collector {
    url: CollectorUrl,
    /// Whether it answered the last time: only news is logged.
    answers: AtomicBool,
}

impl Collector {
    pub(super) fn at(url: CollectorUrl) -> Self {
        Self { url, answers: AtomicBool::new(true) }
    }

    /// Sends a request and returns the status of the answer.
    fn exchange(&self, request: &Request<Bytes>) -> io::Result<u16> {
        let mut stream = self.connect()?;
        stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
        stream.set_write_timeout(Some(ANSWERED_WITHIN))?;
        let CollectorUrl { host, port, path } = &self.url;
        let mut octets = format!("POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n").into_bytes();
        for (name, value) in request.headers() {
            octets.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        octets.extend(format!("Content-Length: {}\r\n\r\n", request.body().len()).bytes());
        octets.extend(request.body());
        stream.write_all(&octets)?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
        let status = answer.split(|octet| *octet == b' ').nth(1).and_then(|status| str::from_utf8(status).ok());
        status
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what answers does not speak HTTP"))
    }

    fn connect(&self) -> io::Result<TcpStream> {
        // An IPv6 address stands in brackets in a URL, and nowhere else.
        let host = self.url.host.trim_start_matches('[').trim_end_matches(']');
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (host, self.url.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, ANSWERED_WITHIN) {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn report(&self, outcome: Result<(), String>) {
        let answered = self.answers.swap(outcome.is_ok(), Ordering::Relaxed);
        match outcome {
            Ok(()) if !answered => info!(collector = %self.url, "spans are sent again"),
            Err(reason) if answered => warn!(collector = %self.url, reason, "spans cannot be sent: they are dropped"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let status = self.exchange(&request);
        self.report(match &status {
            Ok(200..300) => Ok(()),
            Ok(status) => Err(format!("answered {status}")),
            Err(error) => Err(error.to_string()),
        });
        // Nothing that it says besides is acted on.
        Ok(Response::builder().status(status?).body(Bytes::new())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collectors_url_leads_to_where_it_takes_spans() {
        for (url, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://collector", "http://collector:4318/v1/traces"),
            ("http://[::1]:80/", "http://[::1]:80/v1/traces"),
            ("http://collector:8080/otlp/", "http://collector:8080/otlp/v1/traces"),
        ] {
            assert_eq!(url.parse::<CollectorUrl>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_url_of_a_collector_is_refused() {
        for (url, expected) in [
            ("collector:4318", InvalidCollector::Scheme),
            ("https://collector:4318", InvalidCollector::Scheme),
            ("http://user:hunter2@collector:4318", InvalidCollector::Credentials),
            ("http://collector?x=y", InvalidCollector::NoUrl),
            ("/v1/traces", InvalidCollector::NoUrl),
            ("http:// ", InvalidCollector::NoUrl),
        ] {
            assert_eq!(url.parse::<CollectorUrl>(), Err(expected), "{url}");
        }
    }
}
