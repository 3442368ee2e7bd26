//! Clients that mean harm, against the running binary: each is refused or cut off in time, and others are served meanwhile.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets something it did not expect panics"
)]

mod answers;
mod bodies;
mod connections;
#[cfg(target_os = "linux")]
mod fairness;
mod framing;
mod heads;
mod pipelines;
mod service;
