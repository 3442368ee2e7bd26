//! The binary, running: what the tests of several targets share.

mod reference;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use auth_testkit::waiting::PATIENCE;
use serde_json::Value;

pub(crate) use reference::Reference;

/// The binary, running in a folder of its own.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
}

/// The binary, to be run in `folder`. Without limits: tests do in a moment what takes people days, all from one address.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth-http"));
    command.current_dir(folder).env_clear().env("AUTH__HTTP__BIND", "127.0.0.1:0").env("AUTH__LOG__FORMAT", "json");
    command.env("AUTH__LIMITS__ENABLED", "false");
    command
}

impl Running {
    /// Starts it with these settings in its environment.
    pub(crate) fn start_with(folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::spawn(command(folder).envs(settings.iter().copied()))
    }

    /// Starts what becomes the binary.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut address = None;
        while address.is_none() {
            let line = lines.next().expect("it says where it listens").unwrap();
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["message"] == "listening" {
                address = event["address"].as_str().map(|address| address.parse().unwrap());
            }
            log.lock().unwrap().push_str(&(line + "\n"));
        }
        let sink = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                sink.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        Self { child, address: address.unwrap(), log }
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        within_patience(|| self.child.try_wait().unwrap())
    }

    /// The status that a path is answered with.
    pub(crate) fn status(&self, path: &str) -> u16 {
        let answer = self.exchange(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes());
        answer[9..12].parse().unwrap()
    }

    /// Sends octets and reads until the connection is closed.
    pub(crate) fn exchange(&self, octets: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(octets).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

/// What `poll` finds, once it does, or else a failure of the test.
pub(crate) fn within_patience<T>(mut poll: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / 20 {
        if let Some(found) = poll() {
            return found;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("nothing within {PATIENCE:?}");
}
