//! What the domain may depend on, and what nothing may.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its files panics")]

use std::{collections::BTreeSet, fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_domain_depends_on_plain_functions_alone() {
    let manifest = read("Cargo.toml");
    let section = manifest.split("[dependencies]\n").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap();
    let used: BTreeSet<_> = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).collect();
    let allowed = ["async-trait", "idna", "ring", "thiserror", "tracing", "unicode-normalization", "uuid", "zeroize"];
    let unexpected: Vec<_> = used.iter().filter(|name| !name.is_empty() && !allowed.contains(name)).collect();
    assert!(unexpected.is_empty(), "auth-domain gained {unexpected:?}: rules need no I/O, runtime, SQL or HTTP");
}

#[test]
fn no_foreign_tls_and_no_foreign_database_client_is_linked() {
    let lock = read("../../Cargo.lock");
    for banned in ["openssl", "openssl-sys", "native-tls", "pq-sys", "aws-lc-sys", "aws-lc-rs"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"\n")), "{banned} is in Cargo.lock");
    }
}
