//! What the service does while what it stands on fails: real parts, real faults, and people who go on using it meanwhile.
//!
//! Each file injects one fault. Everybody's answers are judged as they come, and in the end everything that was acknowledged to
//! anybody has to be there. What was seen is written down in `docs/reliability.md`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets something it did not expect panics, and the others say what they have seen"
)]

mod client;
mod crowd;
mod database_killed;
#[cfg(target_os = "linux")]
mod disk_full;
mod doors;
mod fleet;
mod mail_server;
mod network;
mod network_cut;
mod person;
mod pool_exhausted;
mod postbox;
mod random;
#[path = "../running/mod.rs"]
mod running;
mod service_killed;
#[path = "../trials/mod.rs"]
mod trials;
