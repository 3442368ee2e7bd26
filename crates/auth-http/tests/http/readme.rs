//! What the documentation says is what happens.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::process::Running;

/// Those that link to others.
const PAGES: [&str; 8] = [
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/api.md",
    "docs/architecture.md",
    "docs/gateway.md",
    "docs/operations.md",
    "docs/security.md",
];

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

pub(crate) fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Whether `text` contains the parts of `pattern` in order, where `…` stands for anything. Returns what follows.
pub(crate) fn after<'a>(text: &'a str, pattern: &str) -> Option<&'a str> {
    pattern.split('…').try_fold(text, |rest, part| rest.find(part).and_then(|at| rest.get(at + part.len()..)))
}

/// Runs `script` against a service of its own, with the binary on its path, and holds what it prints to the lines behind `#=>` in it.
fn holds(page: &str, script: &str) {
    let folder = tempfile::tempdir().unwrap();
    // As whoever follows it will meet the service.
    let running = Running::start_with(folder.path(), &[("AUTH__LIMITS__ENABLED", "true")]);
    let moved = script.replace("127.0.0.1:8080", &running.address.to_string());
    assert_ne!(moved, script);

    let output = run(&moved, folder.path());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));

    let mut rest = printed.as_str();
    for pattern in script.lines().filter_map(|line| line.strip_prefix("#=> ")) {
        rest = after(rest, pattern).unwrap_or_else(|| panic!("{page} promises {pattern}, but what is left is {rest}"));
    }
}

/// What bash makes of `script` in `folder`, with the binary on its path.
pub(crate) fn run(script: &str, folder: &Path) -> Output {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_auth-http"));
    let on_path = format!("export PATH='{}':\"$PATH\"\n{script}", binary.parent().unwrap().display());
    Command::new("bash").args(["-euo", "pipefail", "-c", &on_path]).current_dir(folder).output().unwrap()
}

#[test]
fn the_walk_through_prints_what_the_readme_says() {
    holds("the README", blocks(&read("README.md"), "sh")[0]);
}

#[test]
fn the_examples_of_the_api_print_what_its_page_says() {
    holds("docs/api.md", &blocks(&read("docs/api.md"), "sh").concat());
}

#[test]
fn every_operation_stands_in_the_page_about_the_api() {
    let page = read("docs/api.md");
    for (path, methods) in auth_http::served() {
        let path = path.strip_prefix(auth_http::BASE).unwrap_or(&path);
        for method in methods.iter().filter(|method| **method != "HEAD" && path != "/docs/{file}") {
            assert!(page.contains(&format!("`{method} {path}")), "{method} {path}");
        }
    }
}

#[test]
fn the_embedding_in_the_readme_is_the_example_that_is_compiled() {
    let readme = read("README.md");
    let example = read("crates/auth-http/examples/embed.rs");
    assert!(example.contains(blocks(&readme, "rust")[0]));
}

#[test]
fn every_setting_stands_in_the_operations_guide() {
    let guide = read("docs/operations.md");
    let mut section = String::new();
    for line in read("crates/auth-http/src/settings/defaults.toml").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.replace('.', "__").to_uppercase();
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            let variable = format!("`AUTH__{section}__{}`", name.to_uppercase());
            assert!(guide.contains(&variable), "{variable}");
        }
    }
}

#[test]
fn settings_that_containers_are_given_exist() {
    let guide = read("docs/operations.md");
    for file in ["Dockerfile", "docker-compose.yml"] {
        let text = read(file);
        let named: Vec<_> = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).collect();
        let settings: Vec<_> = named.into_iter().filter(|word| word.starts_with("AUTH__")).collect();
        assert!(!settings.is_empty());
        for setting in settings {
            assert!(guide.contains(&format!("`{setting}`")), "{file}: {setting}");
        }
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in PAGES {
        let text = read(page);
        let folder = Path::new(page).parent().unwrap();
        for target in text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
            if !target.starts_with("http") && !target.is_empty() {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join(target);
                assert!(path.exists(), "{page} links to {target}");
            }
        }
    }
}
