//! pgbench, which shows what the database itself makes of this machine.

use std::{fs, process::Command, time::Duration};

use tempfile::TempDir;

use crate::{Measured, figures::Rate};

/// One statement, run again and again on sixteen connections that prepare it once each.
pub(crate) struct Script {
    folder: TempDir,
    url: String,
    /// What holds for its connections, as the service's own say it.
    settings: &'static str,
}

impl Script {
    pub(crate) fn new(url: String, script: &str, settings: &'static str) -> Measured<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("script.sql"), script)?;
        Ok(Self { folder, url, settings })
    }

    /// Blocks for as long as it is told to run.
    pub(crate) fn run(&self, span: Duration) -> Measured<Rate> {
        let output = Command::new("pgbench")
            .args(["-n", "-M", "prepared", "-c", "16", "-j", "2", "-T", &span.as_secs().to_string(), "-f"])
            .arg(self.folder.path().join("script.sql"))
            .arg(&self.url)
            .env("PGOPTIONS", self.settings)
            .output()
            .map_err(|error| format!("pgbench cannot be run: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        measured(&said).ok_or_else(|| format!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn measured(said: &str) -> Option<Rate> {
    let figure = |name: &str| said.lines().find_map(|line| line.strip_prefix(name))?.split(' ').next()?.parse().ok();
    let mean = Duration::from_secs_f64(figure("latency average = ")? / 1e3);
    // It tells no percentiles without a line in a file for each transaction, which would slow it down.
    Some(Rate { per_second: figure("tps = ")?, p50: mean, p99: Duration::ZERO, refused: 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_says_is_read() {
        let said = "latency average = 0.432 ms\ninitial connection time = 9 ms\ntps = 37002.5 (without initial)\n";
        let rate = measured(said).unwrap();
        assert_eq!((rate.per_second, rate.p50), (37002.5, Duration::from_micros(432)));
        assert!(measured("pgbench: error").is_none());
    }
}
