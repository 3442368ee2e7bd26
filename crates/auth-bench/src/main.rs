//! Measures the service against what its machine can do, in one run: `scripts/bench`.
//!
//! Every figure that means something is a ratio of two that were taken in turn, seconds apart: on a machine that does other
//! things too, speed drifts, and both drift together. What is measured and how is told in `docs/performance.md`, which this
//! program also fills in.
//!
//! | module | what it holds |
//! |---|---|
//! | `bare` | the ceiling: an HTTP server that answers the same octets whatever it is asked |
//! | `load` | a throwaway database with a million sessions, and the credentials of some of them |
//! | `server` | a process that is measured: started, asked how much memory it holds, ended |
//! | `client` | a connection that stays open, for what is not a matter of throughput |
//! | `wrk`, `pgbench` | the two load generators |
//! | `sink` | a mail server that takes everything and reads the codes |
//! | `measures` | what is measured, a file per subject |
//! | `figures` | medians and ratios |
//! | `report` | the table, the page and the chart |
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are far below 2⁵² and above nothing"
)]

mod bare;
mod client;
mod figures;
mod load;
mod machine;
mod measures;
mod pgbench;
mod report;
mod server;
mod sink;
mod wrk;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// What a measurement comes to. One that cannot be made ends the run.
type Measured<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the service against what its machine can do.
#[derive(Debug, Parser)]
#[command(name = "auth-bench")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Fewer rows and shorter rounds: to see that everything still runs. Its figures are rough.
    #[arg(long)]
    quick: bool,
    /// Only the steps whose name contains this, such as "checks" or "memory".
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The page to fill in and the chart beside it; without it, the figures are only printed.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve as the ceiling (started by the measurement itself).
    #[command(hide = true)]
    Bare {
        /// How long the whole answer is.
        octets: usize,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Some(Command::Bare { octets }) => bare::serve(octets),
        None => measure(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("auth-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Measured<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let scale = if arguments.quick { load::Scale::quick() } else { load::Scale::full() };
    let mut figures = figures::Figures::default();
    let outcome = runtime.block_on(measures::all(&scale, arguments.only.as_deref(), &mut figures));
    // What was measured before something went wrong is worth knowing too.
    println!("\n{}", report::table(&figures));
    outcome?;
    if let Some(page) = &arguments.write {
        report::write(page, &figures)?;
        println!("written: {}", page.display());
    }
    Ok(())
}
