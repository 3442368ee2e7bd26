//! The files that `docs/gateway.md` prints.

use std::path::Path;

/// The file that the guide prints as `path`, with each of `changes` made: what is here, and what stands for it.
///
/// A change that finds nothing to change fails: the guide says something else than the test thinks.
pub(super) fn file(path: &str, changes: &[(&str, &str)]) -> String {
    let (guide, fence) = (text(), format!(" {path}\n"));
    let mut blocks = guide.split("\n```").filter_map(|block| block.split_once(&fence));
    let printed = blocks.find(|(language, _)| !language.contains(['\n', ' '])).map(|(_, text)| format!("{text}\n"));
    let printed = printed.unwrap_or_else(|| panic!("docs/gateway.md prints no {path}"));
    changes.iter().fold(printed, |text, (here, there)| {
        assert!(text.contains(here), "{path} has no {here}");
        text.replace(here, there)
    })
}

/// The steps of the way from an empty machine that are typed as they stand: making an administrator, signing in, calling.
pub(super) fn steps() -> [String; 3] {
    let guide = text();
    let steps: Vec<_> =
        guide.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect();
    steps.try_into().unwrap()
}

fn text() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/gateway.md")).unwrap()
}
