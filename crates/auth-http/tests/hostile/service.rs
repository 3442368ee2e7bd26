//! The binary under attack, and what comes back over its sockets.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything here may take before the test fails: longer than any time limit of the service, on any machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// The binary, running in a folder of its own, with its own limit on open files as the system sets it.
pub(crate) struct Service {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

/// An answer that has been held to the wire contract.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
}

impl Service {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it on one processor, so that it has a single worker.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_on_one_processor() -> Self {
        // A process begins where the thread runs that starts it.
        let starting = thread::spawn(|| {
            let mut allowed = sched_getaffinity(None).unwrap();
            let others: Vec<_> = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).skip(1).collect();
            for processor in others {
                allowed.unset(processor);
            }
            sched_setaffinity(None, &allowed).unwrap();
            Self::start()
        });
        starting.join().unwrap()
    }

    /// Starts it with these settings in its environment.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth-http"));
        // Without limits: tests do in a moment what takes people days, all from one address.
        command.current_dir(folder.path()).env_clear().env("AUTH__LIMITS__ENABLED", "false");
        command.env("AUTH__HTTP__BIND", "127.0.0.1:0").env("AUTH__LOG__FORMAT", "json").envs(settings.iter().copied());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().find_map(|line| {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap_or_default();
            (event["message"] == "listening").then(|| event["address"].as_str().unwrap().parse().unwrap())
        });
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, address: address.expect("it says where it listens"), _folder: folder }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends bytes and reads answers until the connection is closed.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> Vec<Answer> {
        let mut stream = self.connect();
        // It may close as soon as it has seen enough.
        let _all_or_what_was_taken = stream.write_all(bytes);
        answers(&mut stream)
    }

    /// The statuses of the answers to these bytes.
    pub(crate) fn statuses(&self, bytes: &[u8]) -> Vec<u16> {
        self.exchange(bytes).iter().map(|answer| answer.status).collect()
    }

    /// Asks as an honest client does, over a connection of its own.
    pub(crate) fn serves(&self) {
        let request = b"GET /api/auth/v2/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert_eq!(self.statuses(request), [401]);
    }

    /// How long processors have worked for the process: to the hundredth of a second.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_name, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// The memory that the process has in use, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

/// All answers until the connection is closed.
pub(crate) fn answers(stream: &mut TcpStream) -> Vec<Answer> {
    let mut reader = BufReader::new(stream);
    std::iter::from_fn(|| answer(&mut reader)).collect()
}

/// The next answer, or `None` when the connection is closed instead.
pub(crate) fn answer(reader: &mut impl BufRead) -> Option<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match reader.read_line(&mut head) {
            Ok(0) => {
                assert_eq!(head, "", "an answer is whole");
                return None;
            }
            Ok(_) => {}
            // What was still under way when it closed resets the connection, which ends it as well.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}, after {head:?}"),
        }
    }
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let length = field("content-length:").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let status = head[9..12].parse().unwrap();
    assert_eq!(field("cache-control:"), Some("no-store"), "{head}");
    if !matches!(status, 200 | 202) {
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((problem["status"].as_u64(), problem["detail"].as_str()), (Some(status.into()), field("x-error:")));
        let id = field("x-error-id:").unwrap();
        assert_eq!(problem["instance"], format!("urn:uuid:{id}"));
        assert!(status < 500, "{head}");
    }
    Some(Answer { status, head })
}
