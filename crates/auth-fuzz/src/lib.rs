//! What holds for every parser at the edge, whatever it is given.
//!
//! A [`Target`] is one function over arbitrary octets that panics when the parser breaks its word. There is one for each
//! parser, and two who call it: `tests/properties.rs` with a few thousand inputs at every run of the tests, made by proptest
//! from the ones in `seeds/`; and libFuzzer, by `scripts/libfuzzer`, for as long as one likes, led by what each input reaches.
//! An input that broke something goes to `seeds/` and is tried first from then on.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a property that does not hold panics"
)]

mod api;
mod credentials;
mod forwarded;
mod names;
mod replies;
mod settings;

/// A parser, and what holds for it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called on the command line, and its folder of seeds.
    pub name: &'static str,
    /// Panics when the property does not hold for these octets.
    pub holds: fn(&[u8]),
    /// Whether it waits for sockets, so that the tests try fewer inputs.
    pub is_slow: bool,
}

const fn quick(name: &'static str, holds: fn(&[u8])) -> Target {
    Target { name, holds, is_slow: false }
}

/// All of them.
pub const TARGETS: [Target; 12] = [
    quick("addresses", names::addresses),
    quick("bodies", api::bodies),
    quick("codes", credentials::codes),
    quick("credentials", credentials::tokens),
    quick("forwarded", forwarded::addresses),
    quick("heads", api::heads),
    quick("languages", names::languages),
    Target { name: "mail_servers", holds: replies::mail_servers, is_slow: true },
    quick("names", names::names),
    quick("queries", api::queries),
    quick("replies", replies::replies),
    quick("settings", settings::settings),
];

/// The target with this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
