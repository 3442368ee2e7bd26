//! The service, an upstream, a proxy between its clients and both, and people.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    proxy::{Kind, Proxy},
    upstream::Upstream,
};
use crate::process::{Running, read_code, within_patience};

/// How long a request may take, whatever fails.
const ANSWERED_WITHIN: Duration = Duration::from_mins(1);

/// Everything that a request meets.
pub(super) struct Guarded {
    pub(super) proxy: Proxy,
    pub(super) upstream: Upstream,
    pub(super) service: Running,
    /// An administrator's session, which holds the role `admin`.
    pub(super) ada: Value,
    folder: TempDir,
}

/// What comes back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(sent, _)| sent.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        values.next()
    }
}

impl Guarded {
    /// With the service on SQLite.
    pub(super) fn by(kind: Kind) -> Self {
        Self::with(kind, &[])
    }

    /// With these settings of the service.
    pub(super) fn with(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let roles = ("AUTH__REGISTRATION__ROLES", "users_admin,admin");
        let service = Running::start_with(folder.path(), &[&[roles], settings].concat());
        within_patience(|| (service.status("/readyz") == 200).then_some(()));
        let upstream = Upstream::start();
        let ada = service.sign_up("ada");
        assert_eq!(service.verify(&ada, &read_code(folder.path(), "ada")), 202);
        let proxy = Proxy::start(kind, service.address, upstream.address);
        Self { proxy, upstream, service, ada, folder }
    }

    /// Does something as the administrator.
    pub(super) fn administer(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.service.call(method, path, self.ada["bearer"].as_str(), Some(body));
        assert_eq!(status, 202, "{method} {path}: {answer}");
        answer
    }

    /// Makes an account with these roles. Returns its key pair.
    pub(super) fn account(&self, alias: &str, roles: &[&str]) -> Value {
        let wish = json!({"email": format!("{alias}@example.org"), "fullName": alias, "alias": alias, "roles": roles});
        self.administer("POST", "/admin/user", &wish)
    }

    /// Opens a session for the owner of `account`.
    pub(super) fn session(&self, account: &Value) -> Value {
        let user = account["userID"].as_str().unwrap();
        self.administer("POST", &format!("/admin/user/{user}/session"), &json!({}))
    }

    /// Sends a request with these header lines, and a body unless it is empty, through the proxy.
    pub(super) fn send(&self, method: &str, path: &str, headers: &[String], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: app.example.org\r\n");
        let connection =
            if headers.iter().any(|line| line.starts_with("Connection:")) { "" } else { "Connection: close" };
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}", body.len()) };
        for line in headers.iter().map(String::as_str).chain([connection, &length]).filter(|line| !line.is_empty()) {
            request += line;
            request += "\r\n";
        }
        request += "\r\n";
        request += body;
        let mut stream = TcpStream::connect(self.proxy.address).unwrap();
        stream.set_read_timeout(Some(ANSWERED_WITHIN)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut octets = Vec::new();
        stream
            .read_to_end(&mut octets)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}: {}", self.proxy.log()));
        let text = String::from_utf8_lossy(&octets);
        let head = text.split("\r\n\r\n").next().unwrap().to_owned();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        Answer { status: status.unwrap_or_else(|| panic!("{method} {path}: {text:?}: {}", self.proxy.log())), head }
    }

    /// Sends a GET, and proves that the answer is the upstream's if and only if it is 200.
    pub(super) fn status(&self, path: &str, headers: &[String]) -> u16 {
        let before = self.upstream.count();
        let answer = self.send("GET", path, headers, "");
        assert_eq!(self.upstream.count() - before, usize::from(answer.status == 200), "{path}: {answer:?}");
        answer.status
    }

    /// The folder of the service.
    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// The header of a session.
pub(super) fn bearer(session: &Value) -> Vec<String> {
    vec![format!("Authorization: Bearer {}", session["bearer"].as_str().unwrap())]
}

/// The headers of a key pair.
pub(super) fn key_pair(pair: &Value) -> Vec<String> {
    let part = |name: &str| pair[name].as_str().unwrap().to_owned();
    vec![format!("api-key: {}", part("apiKey")), format!("api-secret: {}", part("apiSecret"))]
}
