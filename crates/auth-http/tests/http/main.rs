//! The API as a client sees it: journeys on the fakes, SQLite and PostgreSQL, and over real sockets where the wire matters.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets something it did not expect panics"
)]

mod administering;
mod administrators;
mod app;
mod copying;
mod description;
mod gateways;
mod hot_keys;
mod journeys;
mod mail;
mod metrics;
mod postgres;
mod process;
mod readme;
mod revoking;
mod rotating;
#[path = "../running/mod.rs"]
mod running;
mod security;
mod tls;
mod traces;
mod wire;
