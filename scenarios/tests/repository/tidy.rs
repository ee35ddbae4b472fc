//! Rules that no lint knows (CONTRIBUTING.md, "Rules that a test holds").
//!
//! Each rule names the line that breaks it. Words that must not be written are put together from two
//! halves here, because this file is read as well.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Folders whose code must be a function of its arguments: no clock, no global randomness, no order that
/// depends on a hash. What is read here is compared byte for byte elsewhere.
const CORES: [&str; 19] = [
    "protocol/src/",
    "mock-gitlab/src/world/",
    "mock-gitlab/src/vectors/",
    "mock-gitlab/src/fault/rule.rs",
    "mock-gitlab/src/fault/rules.rs",
    "runner/src/client/retry.rs",
    "runner/src/schedule/scheduler/",
    "runner/src/trace/limit.rs",
    "runner/src/trace/masks.rs",
    "runner/src/trace/phrases.rs",
    "runner/src/trace/pipeline.rs",
    "runner/src/trace/skip.rs",
    "runner/src/trace/stamps.rs",
    "runner/src/trace/store.rs",
    "runner/src/trace/tokens.rs",
    "runner/src/trace/url.rs",
    "runner/src/trace/utf8.rs",
    "scenarios/src/conform/",
    "scenarios/src/scenario/",
];

/// Most lines of a source file.
const LINES_MAX: usize = 600;

/// Folders that hold nothing of ours; in a second working tree `.git` is a file.
const SKIPPED: [&str; 4] = ["target", ".git", "node_modules", "corpus"];

struct Source {
    path: String,
    text: String,
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("the repository can be read");
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Every text file below the root.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .filter_map(|file| {
            let text = std::fs::read_to_string(&file).ok()?;
            let path = file
                .strip_prefix(&root)
                .ok()?
                .to_string_lossy()
                .replace('\\', "/");
            Some(Source { path, text })
        })
        .collect()
}

/// Lines of code, with their number; comment lines are left out.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source
        .text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn is_rust(source: &Source) -> bool {
    Path::new(&source.path)
        .extension()
        .is_some_and(|extension| extension == "rs")
}

/// Fails with one line per place.
fn assert_none(rule: &str, places: &[String]) {
    let mut list = String::new();
    for place in places {
        let _ = write!(list, "\n  {place}");
    }
    assert!(places.is_empty(), "{rule}:{list}");
}

/// Lines of Rust code below `folders` that hold one of `words`.
fn places(folders: &[&str], words: &[&str]) -> Vec<String> {
    let mut places = Vec::new();
    for source in sources().iter().filter(|source| is_rust(source)) {
        if !folders.iter().any(|folder| source.path.starts_with(folder)) {
            continue;
        }
        for (number, line) in code(source) {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                places.push(format!("{}:{number}: `{word}`", source.path));
            }
        }
    }
    places
}

/// A core that was moved or renamed would otherwise be watched no longer, and nobody would know.
#[test]
fn cores_are_where_they_are_said_to_be() {
    let sources = sources();
    let missing: Vec<String> = CORES
        .iter()
        .filter(|core| {
            !sources
                .iter()
                .any(|source| is_rust(source) && source.path.starts_with(**core))
        })
        .map(|core| (*core).to_owned())
        .collect();
    assert_none("no source is found below", &missing);
}

#[test]
fn cores_read_no_clock() {
    let words = [
        concat!("SystemTime", "::now"),
        concat!("Instant", "::now"),
        concat!("Timestamp", "::now"),
    ];
    assert_none("a core takes time as an argument", &places(&CORES, &words));
}

#[test]
fn cores_make_no_randomness() {
    let words = [
        concat!("thread", "_rng"),
        concat!("rand", "::rng()"),
        concat!("from_os", "_rng"),
    ];
    assert_none(
        "a core takes its generator as an argument",
        &places(&CORES, &words),
    );
}

#[test]
fn cores_have_no_hash_order() {
    let words = [concat!("Hash", "Map"), concat!("Hash", "Set")];
    assert_none("a core keeps ordered collections", &places(&CORES, &words));
}

#[test]
fn nothing_is_left_undone() {
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
    ];
    assert_none("code that is not there", &places(&[""], &words));
}

/// Without `biased;` tokio asks the branches in a random order, and two runs differ.
#[test]
fn selects_are_biased() {
    let opening = concat!("select", "! {");
    let mut places = Vec::new();
    for source in sources().iter().filter(|source| is_rust(source)) {
        let lines: Vec<(usize, &str)> = code(source).collect();
        for (index, (number, line)) in lines.iter().enumerate() {
            let Some((_, after)) = line.split_once(opening) else {
                continue;
            };
            let first = std::iter::once(after)
                .chain(lines[index + 1..].iter().map(|(_, line)| *line))
                .map(str::trim)
                .find(|line| !line.is_empty());
            if !first.is_some_and(|line| line.starts_with("biased;")) {
                places.push(format!("{}:{number}", source.path));
            }
        }
    }
    assert_none("a select without `biased;` first", &places);
}

#[test]
fn files_are_short() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| is_rust(source))
        .filter(|source| source.text.lines().count() > LINES_MAX)
        .map(|source| format!("{}: {} lines", source.path, source.text.lines().count()))
        .collect();
    assert_none(
        &format!("a source file has at most {LINES_MAX} lines"),
        &long,
    );
}

/// The repository stands alone: nothing points at the machine that it was written on.
#[test]
fn nothing_points_outside() {
    let word = concat!("/wo", "rk/");
    let mut places = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            if line.contains(word) {
                places.push(format!("{}:{}", source.path, index + 1));
            }
        }
    }
    assert_none("a path of one machine", &places);
}
