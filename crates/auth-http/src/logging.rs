//! How and where things are logged: on standard error, for people on a terminal, as JSON otherwise.

use std::io::{self, IsTerminal};

use serde::Deserialize;
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `filter` is in the notation of `tracing_subscriber::EnvFilter`, such as `info` or `info,auth_domain=debug`.
///
/// # Errors
/// When `filter` does not parse. A logger that was set up before stays.
pub fn start(format: Format, filter: &str) -> Result<(), ParseError> {
    let filter: EnvFilter = filter.parse()?;
    let to_terminal = io::stderr().is_terminal();
    let human = format == Format::Human || (format == Format::Auto && to_terminal);
    let logs = fmt().with_env_filter(filter).with_writer(io::stderr);
    let _already_set = if human {
        logs.with_ansi(to_terminal).try_init()
    } else {
        logs.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    };
    Ok(())
}
