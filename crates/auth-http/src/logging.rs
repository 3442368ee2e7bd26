//! How and where things are logged: on standard error, for people on a terminal, as JSON otherwise.

use std::io::{self, IsTerminal};

use serde::Deserialize;
use tracing_subscriber::{EnvFilter, Layer, filter::ParseError, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::traces::Traces;

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

/// Starts logging, and telling `traces` of spans. `filter` says which lines there are, in the notation of
/// `tracing_subscriber::EnvFilter`, such as `info` or `info,auth_domain=debug`.
///
/// # Errors
/// When `filter` does not parse. A logger that was set up before stays.
pub fn start(format: Format, filter: &str, traces: Option<&Traces>) -> Result<(), ParseError> {
    let filter: EnvFilter = filter.parse()?;
    let to_terminal = io::stderr().is_terminal();
    let human = format == Format::Human || (format == Format::Auto && to_terminal);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if human {
        lines.with_ansi(to_terminal).boxed()
    } else {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    let _already_set = subscriber.with(traces.map(Traces::layer)).try_init();
    Ok(())
}
