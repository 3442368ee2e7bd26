//! What `docs/security.md` says is in the tree: its files, its tests, its figures and its sums.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::readme::{blocks, read, run};

const PAGE: &str = "docs/security.md";
/// What a requirement can be, in the order of the sums' columns.
const VERDICTS: [&str; 4] = ["met", "in part", "not met", "n/a"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What stands between single backticks, but for blocks.
fn quoted(page: &str) -> Vec<String> {
    let outside_of_blocks: String = page.split("```").step_by(2).collect();
    outside_of_blocks.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Where the file that is quoted as `text` should be, if that is the path of one: below `crates`, or of a page.
fn file(text: &str) -> Option<PathBuf> {
    let (first, _) = text.split_once('/')?;
    let is_path = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    match first {
        "docs" if is_path => Some(root().join(text)),
        _ if is_path && first.starts_with("auth-") => Some(root().join("crates").join(text)),
        _ => None,
    }
}

/// Whether `text` is a sentence, as the tests' names are.
fn is_sentence(text: &str) -> bool {
    text.matches('_').count() >= 3 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// The cells of each row of a table whose first cell is a requirement's number, or several's.
fn requirements(page: &str) -> Vec<Vec<&str>> {
    let rows =
        page.lines().filter(|line| line.starts_with("| ") && line[2..].starts_with(|c: char| c.is_ascii_digit()));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    cells.filter(|cells| cells[0].matches('.').count() >= 2).collect()
}

/// How many requirements `6.2.1 to 6.2.12` are, and the chapter that they are in.
fn counted(numbers: &str) -> (u32, u32) {
    let parts = |number: &str| number.split('.').map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>();
    let (first, last) = numbers.split_once(" to ").unwrap_or((numbers, numbers));
    let (first, last) = (parts(first), parts(last));
    assert_eq!(first[..2], last[..2], "{numbers}");
    (first[0], last[2] + 1 - first[2])
}

#[test]
fn every_file_that_the_page_about_security_names_is_there() {
    let quoted = quoted(&read(PAGE));
    let files: Vec<_> = quoted.iter().filter_map(|text| file(text)).collect();
    assert!(files.len() > 40, "files are found at all: {}", files.len());
    for file in files {
        assert!(file.is_file(), "{}", file.display());
    }
}

#[test]
fn every_test_that_the_page_about_security_names_is_there() {
    let mut code = String::new();
    sources(&root().join("crates"), &mut code);
    let quoted = quoted(&read(PAGE));
    let tests: Vec<_> = quoted.iter().filter(|text| is_sentence(text)).collect();
    assert!(tests.len() > 80, "tests are found at all: {}", tests.len());
    for test in tests {
        assert!(code.contains(&format!("fn {test}(")), "{test}");
    }
}

#[test]
fn the_figures_of_the_page_about_security_are_what_comes_out() {
    let page = read(PAGE);
    let script = blocks(&page, "sh")[0];
    let output = run(script, &root());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));

    let promised: Vec<_> = script.lines().filter_map(|line| line.strip_prefix("#=> ")).collect();
    assert_eq!(promised, printed.lines().collect::<Vec<_>>());
}

#[test]
fn the_requirements_of_the_page_about_security_add_up() {
    let page = read(PAGE);
    let mut sums = BTreeMap::<u32, [u32; 4]>::new();
    for cells in requirements(&page) {
        let (chapter, count) = counted(cells[0]);
        let verdict = VERDICTS.iter().position(|verdict| *verdict == cells[3]);
        sums.entry(chapter).or_default()[verdict.unwrap_or_else(|| panic!("{cells:?}"))] += count;
    }
    let together = sums.values().fold([0; 4], |all, these| std::array::from_fn(|n| all[n] + these[n]));
    let is_told = |begin: &str, [met, in_part, not_met, not_applicable]: [u32; 4]| {
        let end = format!(" | {met} | {in_part} | {not_met} | {not_applicable} |");
        assert!(page.lines().any(|line| line.starts_with(begin) && line.ends_with(&end)), "{begin}…{end}");
    };
    for (chapter, sum) in sums {
        is_told(&format!("| [V{chapter} "), sum);
    }
    is_told("| together", together);
}
