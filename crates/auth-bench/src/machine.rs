//! What the figures were taken on, without naming it.

use std::{fs, process::Command, thread};

use crate::{Measured, load, wrk};

/// Facts about the machine and the programs, a line each.
pub(crate) async fn facts(database: &str) -> Measured<Vec<(&'static str, String)>> {
    let cores = thread::available_parallelism()?;
    let processor = fs::read_to_string("/proc/cpuinfo")?;
    let processor = processor.lines().find(|line| line.starts_with("model name")).unwrap_or("model name : unknown");
    let processor = processor.split_once(": ").map_or("unknown", |(_, model)| model);
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kibibytes: f64 = memory.split_whitespace().nth(1).unwrap_or_default().parse()?;
    Ok(vec![
        ("machine", format!("{cores} cores of {processor}, {:.0} GiB", kibibytes / 1024.0 / 1024.0)),
        ("system", said_by("uname", &["-sr"])?),
        ("compiler", said_by("rustc", &["--version"])?),
        ("commit", said_by("git", &["describe", "--always", "--dirty"])?),
        (
            "database servers",
            format!("{}, SQLite {}", load::postgres_version(database).await?, load::sqlite_version()?),
        ),
        ("load generators", format!("{}, {}", wrk::version()?, said_by("pgbench", &["--version"])?)),
    ])
}

fn said_by(program: &str, arguments: &[&str]) -> Measured<String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
