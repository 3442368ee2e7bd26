//! The guide's way from an empty machine to a protected upstream.

use std::path::Path;

use tempfile::TempDir;

use super::{
    guide,
    proxy::{Kind, Proxy},
    upstream::Upstream,
};
use crate::{
    process::Running,
    readme::{after, run},
};

super::sentences!(the_way_from_an_empty_machine_prints_what_the_guide_says);

fn the_way_from_an_empty_machine_prints_what_the_guide_says(kind: Kind) {
    let [creating, signing_in, calling] = guide::steps();
    let folder = TempDir::new().unwrap();
    printed(&creating, folder.path());
    let (service, upstream) = (Running::start(folder.path()), Upstream::start());
    let proxy = Proxy::start(kind, service.address, upstream.address);
    let places = [("127.0.0.1:8080", service.address), ("127.0.0.1:8000", proxy.address)];
    let script = places.iter().fold(signing_in + "echo\n" + &calling, |script, (here, there)| {
        assert!(script.contains(here), "the guide has no {here}");
        script.replace(here, &there.to_string())
    });

    let told = printed(&script, folder.path());
    let expected: Vec<_> = script.lines().filter_map(|line| line.strip_prefix("#=> ")).collect();
    assert!(expected.len() >= 7);
    expected.iter().fold(told.as_str(), |rest, promised| {
        after(rest, promised).unwrap_or_else(|| panic!("the guide promises {promised}, but what is left is {rest}"))
    });
}

/// Runs a script in `folder`. Returns what it prints.
fn printed(script: &str, folder: &Path) -> String {
    let output = run(script, folder);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}
