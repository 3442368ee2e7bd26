//! The authentication service: REST API, settings, background jobs and command line around `auth-domain`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`admin`] | the command that administers accounts |
//! | [`secrets`] | the command about the server keys |
//! | [`settings`] | defaults, file, environment; what each setting means |
//! | [`compose`] | the wiring: the only place that names an adapter |
//! | [`copying`] | moving everything from an embedded file to a database server |
//! | [`server`] | the running service, from its first to its last moment |
//! | `routes` | the REST API, a file per subject |
//! | [`openapi`] | the API's description, made from the routes |
//! | `extract` | how a request becomes arguments |
//! | `answer` | what every response looks like |
//! | [`health`] | asking a running service whether it is ready |
//! | [`jobs`] | what goes on behind the requests |
//! | [`metrics`] | what is counted and measured |
//! | [`logging`] | how and where things are logged |
//! | [`traces`] | spans, sent to a collector |
//!
//! The binary is `main.rs`: it parses the command line and hands over to [`cli::run`].

pub mod admin;
mod answer;
pub mod cli;
pub mod compose;
pub mod copying;
mod error_chain;
mod extract;
pub mod health;
pub mod jobs;
pub mod key_file;
pub mod logging;
pub mod metrics;
pub mod openapi;
mod request_ids;
mod routes;
pub mod secrets;
pub mod server;
pub mod service;
pub mod settings;
pub mod traces;

pub use answer::{MIN_PACING_INTERVAL, RefusedChecks, ResponsePacer};
pub use extract::{ClientAddress, ForwardedHeader, language};
pub use request_ids::RequestIds;
pub use routes::{BASE, Checked, app, served};
