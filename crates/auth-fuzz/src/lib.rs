//! What holds for every parser at the edge, whatever it is given.
//!
//! A [`Target`] is one function over arbitrary octets that panics when the parser breaks its word. There is one for each
//! parser, and two who call it: `tests/properties.rs` with a few thousand inputs at every run of the tests, made by proptest
//! from the ones in `seeds/`; and libFuzzer, by `scripts/libfuzzer`, for as long as one likes, led by what each input reaches.
//! An input that broke something goes to `seeds/` and is tried first from then on.
#![expect(
    clippy::missing_panics_doc,
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
}

/// All of them.
pub const TARGETS: [Target; 11] = [
    Target { name: "addresses", holds: names::addresses },
    Target { name: "bodies", holds: api::bodies },
    Target { name: "codes", holds: credentials::codes },
    Target { name: "credentials", holds: credentials::tokens },
    Target { name: "forwarded", holds: forwarded::addresses },
    Target { name: "heads", holds: api::heads },
    Target { name: "languages", holds: names::languages },
    Target { name: "names", holds: names::names },
    Target { name: "queries", holds: api::queries },
    Target { name: "replies", holds: replies::replies },
    Target { name: "settings", holds: settings::settings },
];

/// The target with this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
