//! wrk, which asks as fast as it is answered.

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use tempfile::TempDir;

use crate::{Measured, figures::Rate};

/// What separates requests in the file that the script reads.
const BETWEEN: &str = "\u{1e}";
const SCRIPT: &str = include_str!("ask.lua");

/// Requests that are asked again and again, each connection's thread starting at another one.
pub(crate) struct Requests {
    folder: TempDir,
}

impl Requests {
    pub(crate) fn new(requests: &[String]) -> Measured<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("ask.lua"), SCRIPT)?;
        fs::write(folder.path().join("requests"), requests.join(BETWEEN))?;
        Ok(Self { folder })
    }

    /// Asks them of the server at `address` on so many connections. Blocks for as long as it is told to ask.
    pub(crate) fn ask(&self, address: SocketAddr, connections: u16, span: Duration) -> Measured<Rate> {
        let threads = connections.min(2).to_string();
        let output = Command::new("wrk")
            .args(["-t", &threads, "-c", &connections.to_string()])
            .args(["-d", &format!("{}s", span.as_secs()), "--timeout", "10s", "-s"])
            .arg(self.folder.path().join("ask.lua"))
            .arg(format!("http://{address}"))
            .arg("--")
            .arg(self.folder.path().join("requests"))
            .output()
            .map_err(|error| format!("wrk cannot be run: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        measured(&said).ok_or_else(|| format!("wrk: {said}{}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// The line that the script writes at the end.
fn measured(said: &str) -> Option<Rate> {
    let line = said.lines().find_map(|line| line.strip_prefix("measured "))?;
    let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [answers, micros, p50, p99, refused, lost] = numbers[..] else { return None };
    (answers > 0.0 && lost == 0.0).then(|| Rate {
        per_second: answers / micros * 1e6,
        p50: Duration::from_secs_f64(p50 / 1e6),
        p99: Duration::from_secs_f64(p99 / 1e6),
        refused: refused / answers,
    })
}

/// What the machine's wrk says of itself.
pub(crate) fn version() -> Measured<String> {
    // It says so on its way to complaining that it was not told what to ask.
    let output = Command::new("wrk").arg("-v").output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(said.split(" [").next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_lost_answers_is_no_measurement() {
        let rate = measured("x\nmeasured 1000 2000000 150 900 10 0\n").unwrap();
        assert_eq!((rate.per_second, rate.p99, rate.refused), (500.0, Duration::from_micros(900), 0.01));
        assert!(measured("measured 1000 2000000 150 900 10 1\n").is_none());
        assert!(measured("unable to connect\n").is_none());
    }
}
