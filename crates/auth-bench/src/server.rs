//! A process that is measured.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{Measured, client::Connection};

/// How long one may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that runs in a process of its own, and ends when this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    /// How long it took until it was ready.
    pub(crate) started_within: Duration,
}

impl Server {
    /// The service, with `settings` in its environment and in `folder`.
    pub(crate) async fn service(folder: &Path, settings: &[(&str, &str)]) -> Measured<Self> {
        let mut command = Command::new(beside_this("auth-http")?);
        command.env_clear().envs(settings.iter().copied());
        command.env("AUTH__HTTP__BIND", "127.0.0.1:0").env("AUTH__LOG__FORMAT", "json");
        command.env("AUTH__LIMITS__ENABLED", "false");
        Self::start(command, folder, "/readyz").await
    }

    /// The ceiling, whose whole answer is `octets` long.
    pub(crate) async fn bare(folder: &Path, octets: usize) -> Measured<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bare", &octets.to_string()]);
        Self::start(command, folder, "/").await
    }

    async fn start(mut command: Command, folder: &Path, ready: &str) -> Measured<Self> {
        fs::create_dir_all(folder)?;
        let said = folder.join("said");
        let file = File::create(&said)?;
        let begun = Instant::now();
        let process =
            command.current_dir(folder).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
        let mut server = Self { process, address: ([127, 0, 0, 1], 0).into(), started_within: Duration::ZERO };
        while begun.elapsed() < PATIENCE {
            if let Some(address) = listening(&fs::read_to_string(&said)?) {
                server.address = address;
                if Connection::to(address).await?.get(ready, "").await?.status == 200 {
                    server.started_within = begun.elapsed();
                    return Ok(server);
                }
            }
            if let Some(status) = server.process.try_wait()? {
                return Err(format!("it ended with {status}: {}", fs::read_to_string(&said)?).into());
            }
            sleep(Duration::from_millis(1)).await;
        }
        Err(format!("it did not start: {}", fs::read_to_string(&said)?).into())
    }

    /// How much memory it holds, in octets.
    pub(crate) fn resident(&self) -> Measured<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in its status")?;
        let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kibibytes * 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// The address that a line of its log gives.
fn listening(said: &str) -> Option<SocketAddr> {
    said.lines().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let is_it = event.get("message")? == "listening";
        is_it.then(|| event.get("address")?.as_str()?.parse().ok())?
    })
}

/// A program that was built together with this one.
fn beside_this(name: &str) -> Measured<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    if program.is_file() { Ok(program) } else { Err(format!("{name} is not built: use scripts/bench").into()) }
}
