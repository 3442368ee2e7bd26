//! The command line.

use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    admin, compose, copying,
    error_chain::chain,
    health, logging, openapi, secrets, server,
    settings::{SecretText, Settings},
    traces::Traces,
};

/// Passwordless sign-in by mailed codes, sessions, and the check that a gateway asks.
#[derive(Debug, Parser)]
#[command(name = "auth-http", version)]
struct Arguments {
    /// A TOML file with settings; the environment (`AUTH__SECTION__KEY`) overrides it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (the default).
    Serve,
    /// Bring the database up to date and exit.
    Migrate,
    /// Copy everything from a SQLite file to an empty PostgreSQL database, compare, and exit.
    ///
    /// While it runs, nothing can be written to either. When it fails or is interrupted, the target stays empty.
    Copy {
        /// Where everything is: sqlite:PATH.
        #[arg(long, env = "AUTH_COPY_FROM", hide_env_values = true, value_name = "URL")]
        from: SecretText,
        /// Where it goes: postgres://…. Others on this machine can see arguments, but not the environment.
        #[arg(long, env = "AUTH_COPY_TO", hide_env_values = true, value_name = "URL")]
        to: SecretText,
    },
    /// Ask the service that runs with these settings whether it is ready; the exit status tells.
    Health,
    /// Administer accounts, while the service runs or before it ever did.
    Admin(admin::Arguments),
    /// Show, rotate and remove the server keys that every credential hangs on.
    Secrets(secrets::Arguments),
    /// Print the API's description (OpenAPI 3.1, JSON) and exit.
    Openapi,
}

/// Runs the command that the arguments name. What goes wrong is one line on standard error and a non-zero status.
pub fn run() -> ExitCode {
    match execute(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_left_to_tell = writeln!(io::stderr(), "auth-http: {}", told(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// An error and everything that caused it, in one line without anything that a terminal would act on.
pub fn told(error: &(dyn Error + 'static)) -> String {
    chain(error).replace(char::is_control, " ")
}

fn execute(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let settings = Settings::load(arguments.config.as_deref())?;
    let command = arguments.command.unwrap_or(Command::Serve);
    let traces = match (&command, &settings.telemetry) {
        (Command::Serve, Some(telemetry)) => {
            let started = Traces::start(telemetry.clone());
            Some(started.map_err(|wrong| format!("setting telemetry.otlp: {wrong}"))?)
        }
        _ => None,
    };
    logging::start(settings.log.format, &settings.log.filter, traces.as_ref())
        .map_err(|wrong| format!("setting log.filter: {wrong}"))?;
    match command {
        Command::Serve => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let served = runtime.block_on(server::serve(settings));
            if let Some(traces) = traces {
                traces.stop();
            }
            Ok(served?)
        }
        Command::Health => {
            health::ask(settings.http.bind, settings.http.tls.named().is_some())?;
            writeln!(io::stdout(), "ready")?;
            Ok(())
        }
        Command::Openapi => {
            writeln!(io::stdout(), "{}", openapi::description(&settings.policy.session_kinds))?;
            Ok(())
        }
        Command::Copy { from, to } => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(copying::copy(&settings, &from, &to, &mut io::stdout()))?)
        }
        Command::Admin(arguments) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(admin::administer(settings, arguments, &mut io::stdout()))?)
        }
        Command::Secrets(arguments) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(secrets::tend(settings, arguments, &mut io::stdout()))?)
        }
        Command::Migrate => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let applied = runtime.block_on(compose::migrate(&settings))?;
            let mut out = io::stdout();
            for name in &applied {
                writeln!(out, "applied {name}")?;
            }
            if applied.is_empty() {
                writeln!(out, "up to date")?;
            }
            Ok(())
        }
    }
}
