//! The use cases on fakes: time is set by hand, nothing sleeps.

mod account;
mod check;
mod copying;
mod delivery;
mod emails;
mod key_pairs;
mod person;
mod registration;
mod sessions;
mod sign_in;
