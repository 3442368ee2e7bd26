//! Every target, with its seeds and a few thousand inputs made of them.
//!
//! `PROPTEST_CASES` says how many, times eight, or by two where sockets are waited for; a failure prints the smallest input that shows it, to be put into `seeds/`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets something it did not expect panics"
)]

use std::{fs, path::PathBuf};

use auth_fuzz::{TARGETS, target};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::select,
    test_runner::{Config, TestRunner},
};

macro_rules! properties {
    ($($name:ident),+ $(,)?) => {
        const TESTED: &[&str] = &[$(stringify!($name)),+];
        $(#[test] fn $name() { holds(stringify!($name)); })+
    };
}

properties![
    addresses,
    bodies,
    codes,
    credentials,
    forwarded,
    heads,
    languages,
    mail_servers,
    names,
    queries,
    replies,
    settings
];

#[test]
fn every_target_is_tested() {
    assert_eq!(TESTED, TARGETS.map(|target| target.name));
}

fn holds(name: &str) {
    let target = target(name).unwrap();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let seeds: Vec<Vec<u8>> = files.map(|path| fs::read(path).unwrap()).collect();
    for seed in &seeds {
        (target.holds)(seed);
    }
    let cases = if target.is_slow { Config::default().cases / 2 } else { Config::default().cases * 8 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let tested = TestRunner::new(config).run(&inputs(seeds), |input| {
        (target.holds)(&input);
        Ok(())
    });
    if let Err(broken) = tested {
        panic!("{broken}");
    }
}

/// Octets, text, and seeds in which a few things were changed.
fn inputs(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => vec(any::<u8>(), 0..300),
        1 => any::<String>().prop_map(String::into_bytes),
        6 => (select(seeds.clone()), vec(change(seeds), 0..6))
            .prop_map(|(seed, changes)| changes.iter().fold(seed, |input, change| change.of(input))),
    ]
}

#[derive(Debug, Clone)]
struct Change {
    /// From here, as a fraction of 2¹⁶, as many octets give way to these.
    place: u16,
    length: usize,
    to: Vec<u8>,
}

impl Change {
    fn of(&self, mut input: Vec<u8>) -> Vec<u8> {
        let from = usize::from(self.place) * (input.len() + 1) / (usize::from(u16::MAX) + 1);
        let until = input.len().min(from + self.length);
        input.splice(from..until, self.to.iter().copied());
        input
    }
}

fn change(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Change> {
    let character = any::<char>().prop_map(|c| c.to_string().into_bytes());
    let part = (select(seeds), any::<u16>(), 0..20_usize).prop_map(|(seed, place, length)| {
        let from = usize::from(place) * seed.len() / (usize::from(u16::MAX) + 1);
        seed[from..seed.len().min(from + length)].to_vec()
    });
    let special =
        select(vec!["\0", "\"", "\\", "%00", "\r\n", "\u{202e}", "é", "{", "[", ",", "99999999999999999999", "@"]);
    let to = prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 1..4),
        character,
        part,
        special.prop_map(|text| text.as_bytes().to_vec()),
    ];
    (any::<u16>(), 0..4_usize, to).prop_map(|(place, length, to)| Change { place, length, to })
}
