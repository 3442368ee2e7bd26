//! A reverse proxy from the distribution's packages, with the files that the guide prints.

use std::{
    fs::File,
    io::ErrorKind,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

use tempfile::TempDir;

use super::guide;
use crate::process::within_patience;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    Caddy,
    HaProxy,
}

impl Kind {
    /// The program, and the package of Debian that it is in.
    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::HaProxy => "haproxy",
        }
    }

    /// Writes the guide's files to `folder`, with ports and paths of this test, and returns the arguments that take them.
    fn configure(self, folder: &Path, gateway: SocketAddr, service: SocketAddr, upstream: SocketAddr) -> Vec<String> {
        let (service, upstream) = (service.to_string(), upstream.to_string());
        let places = [("127.0.0.1:8080", service.as_str()), ("127.0.0.1:9000", upstream.as_str())];
        let listening = gateway.to_string();
        let path = |name: &str| folder.join(name).display().to_string();
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        match self {
            Self::Nginx => {
                let listen = format!("listen {listening};");
                let changes = [places[0], places[1], ("listen 8000;", listen.as_str())];
                write("gateway.conf", guide::file("/etc/nginx/conf.d/gateway.conf", &changes));
                write("nginx.conf", nginx_main(folder));
                vec!["-e".to_owned(), "stderr".to_owned(), "-c".to_owned(), path("nginx.conf")]
            }
            Self::Caddy => {
                let site = format!("\n:{} {{\n\tbind {}", gateway.port(), gateway.ip());
                let changes = [places[0], places[1], ("\n:8000 {", site.as_str())];
                write("Caddyfile", guide::file("/etc/caddy/Caddyfile", &changes));
                vec!["run".to_owned(), "--config".to_owned(), path("Caddyfile")]
            }
            Self::HaProxy => {
                let (asking, bind, script) = (free_place().to_string(), format!("bind {listening}"), path("ask.lua"));
                let asked = ("127.0.0.1:8079", asking.as_str());
                // It need not be root here, and there is nobody to log to.
                let as_user =
                    "    log /dev/log local0\n    chroot /var/lib/haproxy\n    user haproxy\n    group haproxy\n";
                let own = [("bind :8000", bind.as_str()), ("/etc/haproxy/authorize.lua", &script), (as_user, "")];
                let changes = [&[asked][..], &places, &own].concat();
                write("haproxy.cfg", guide::file("/etc/haproxy/haproxy.cfg", &changes));
                write("ask.lua", guide::file("/etc/haproxy/authorize.lua", &[asked]));
                vec!["-f".to_owned(), path("haproxy.cfg")]
            }
        }
    }
}

/// What Debian's own file says around the guide's, as one process that keeps to its folder.
fn nginx_main(folder: &Path) -> String {
    let folder = folder.display();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = kinds.map(|kind| format!("{kind}_temp_path {folder}/{kind};")).join("\n");
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}\ninclude {folder}/gateway.conf;\n}}\n"
    )
}

/// The proxy, running until it is dropped.
pub(super) struct Proxy {
    child: Child,
    pub(super) address: SocketAddr,
    folder: TempDir,
}

impl Proxy {
    /// Starts it in front of `upstream`, asking `service`, and returns when it listens.
    pub(super) fn start(kind: Kind, service: SocketAddr, upstream: SocketAddr) -> Self {
        let (folder, address) = (TempDir::new().unwrap(), free_place());
        let arguments = kind.configure(folder.path(), address, service, upstream);
        let log = File::create(folder.path().join("log")).unwrap();
        let package = kind.program();
        // Not on everybody's path.
        let in_sbin = format!("/usr/sbin/{package}");
        let program = if Path::new(&in_sbin).exists() { &in_sbin } else { package };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&folder).env("HOME", folder.path());
        command.env("XDG_DATA_HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => {
                panic!("{program} is missing: scripts/test installs it, or apt-get install {package}")
            }
            _ => panic!("{program} does not start: {error}"),
        });
        let mut proxy = Self { child, address, folder };
        within_patience(|| {
            let ended = proxy.child.try_wait().unwrap();
            assert!(ended.is_none(), "{program} ended: {}", proxy.log());
            TcpStream::connect(address).ok()
        });
        proxy
    }

    /// What it has said so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

/// A place to listen at that nobody else in this process is given, below the ports that systems hand out by themselves.
fn free_place() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 1000).unwrap() * 12;
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if let Ok(free) = TcpListener::bind(("127.0.0.1", port)) {
            return free.local_addr().unwrap();
        }
    }
}
