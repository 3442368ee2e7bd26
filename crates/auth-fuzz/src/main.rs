//! One target for libFuzzer, the one that `FUZZ_TARGET` names. Started by `scripts/libfuzzer`.
#![no_main]

use std::sync::OnceLock;

use auth_fuzz::Target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    (TARGET.get_or_init(named).holds)(input);
});

#[expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "libFuzzer takes the arguments, and has no other way in"
)]
fn named() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    auth_fuzz::target(&name).expect("FUZZ_TARGET names a target")
}
