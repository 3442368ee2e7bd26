//! The use cases on fakes: time is set by hand, nothing sleeps.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets something it did not expect panics"
)]

mod account;
mod administration;
mod check;
mod copying;
mod delivery;
mod emails;
mod key_pairs;
mod limits;
mod person;
mod registration;
mod server_keys;
mod sessions;
mod sign_in;
mod step_up;
