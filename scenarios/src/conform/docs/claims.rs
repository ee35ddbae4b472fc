//! Who claims to prove which check: doc comments of tests, and `proves:` of scenario files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Check, Problem};

/// Where scenarios are that are played; a scenario elsewhere, such as one that waits for a room that is
/// not there yet or one of a fuzz corpus, proves nothing.
const CATALOGUE: &str = "scenarios/catalogue";

/// Folders without sources of ours.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

/// A test or scenario that says it proves a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The check.
    pub id: String,
    /// File, below the root.
    pub file: PathBuf,
    /// Line of the claim, from 1.
    pub line: usize,
    /// Test function, or the scenario's name.
    pub name: String,
}

impl Claim {
    /// `path::name`, which finds the test again.
    pub fn place(&self) -> String {
        format!("{}::{}", self.file.display(), self.name)
    }
}

/// All claims below `root`, in the order of paths and lines.
pub(super) fn find(root: &Path, problems: &mut Vec<Problem>) -> Vec<Claim> {
    let mut files = Vec::new();
    collect(root, root, &mut files);
    files.sort();
    let mut claims = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(root.join(&file)) else {
            continue;
        };
        if file.extension().is_some_and(|extension| extension == "rs") {
            in_source(&text, &file, &mut claims, problems);
        } else {
            in_scenario(&text, &file, &mut claims, problems);
        }
    }
    claims
}

/// Claims by check; a claim of a check that does not exist is a problem.
pub(super) fn by_check<'a>(
    checks: &[Check],
    claims: &'a [Claim],
    problems: &mut Vec<Problem>,
) -> BTreeMap<&'a str, Vec<&'a Claim>> {
    let mut proofs: BTreeMap<&str, Vec<&Claim>> = BTreeMap::new();
    for claim in claims {
        if checks.iter().any(|check| check.id == claim.id) {
            proofs.entry(&claim.id).or_default().push(claim);
        } else {
            problems.push(Problem {
                file: claim.file.clone(),
                line: Some(claim.line),
                message: format!(
                    "claims check `{}`, which docs/checks.tsv does not list",
                    claim.id
                ),
            });
        }
    }
    proofs
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let name = entry.file_name();
        if kind.is_dir() {
            if !SKIPPED.iter().any(|skipped| name == *skipped) {
                collect(root, &path, files);
            }
            continue;
        }
        if let Ok(below) = path.strip_prefix(root)
            && claims_count_in(below)
        {
            files.push(below.to_path_buf());
        }
    }
}

/// Whether a file, below the root, can claim a check: sources, and scenarios that are played.
fn claims_count_in(file: &Path) -> bool {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => true,
        Some("yml" | "yaml") => file.starts_with(CATALOGUE),
        _ => false,
    }
}

/// Splits `ID, ID` and keeps the parts, whatever they are: a wrong one is reported later.
fn ids(list: &str) -> impl Iterator<Item = String> {
    list.split(',')
        .map(|id| id.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|id| !id.is_empty())
}

/// Finds `/// Proves ID, ID.` and the test function below it. The list may go on for several lines.
fn in_source(text: &str, file: &Path, claims: &mut Vec<Claim>, problems: &mut Vec<Problem>) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut index = 0;
    while index < lines.len() {
        let first = index;
        index += 1;
        let Some(list) = lines[first].strip_prefix("/// Proves ") else {
            continue;
        };
        let mut problem = |message: &str| {
            problems.push(Problem {
                file: file.into(),
                line: Some(first + 1),
                message: message.to_owned(),
            });
        };
        let mut list = list.to_owned();
        while !list.contains('.') {
            let Some(more) = lines.get(index).and_then(|line| line.strip_prefix("/// ")) else {
                break;
            };
            list.push(' ');
            list.push_str(more);
            index += 1;
        }
        // Ids have no full stop, so the first one ends the list; more text may follow.
        let Some((list, _)) = list.split_once('.') else {
            problem("the list of checks must end with a full stop");
            continue;
        };
        let Some((name, is_test)) = function_below(&lines[index..]) else {
            problem("a list of checks must stand directly above a test function");
            continue;
        };
        if !is_test {
            problem("a list of checks stands above a function that is no test");
            continue;
        }
        claims.extend(ids(list).map(|id| Claim {
            id,
            file: file.into(),
            line: first + 1,
            name: name.to_owned(),
        }));
    }
}

/// Name of the function that follows doc comments and attributes, and whether it is a test.
fn function_below<'a>(lines: &[&'a str]) -> Option<(&'a str, bool)> {
    let mut is_test = false;
    for line in lines {
        // An attribute of several lines ends with `)]`, its lines are no item.
        if let Some((before, after)) = line.split_once("fn ")
            && before
                .split_whitespace()
                .all(|word| matches!(word, "pub" | "async" | "pub(crate)"))
        {
            let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
            return Some((&after[..end], is_test));
        }
        let plain_item = [
            "struct ", "enum ", "mod ", "impl ", "use ", "}", "const ", "static ",
        ];
        if plain_item.iter().any(|item| line.starts_with(item)) || line.is_empty() {
            return None;
        }
        if line.starts_with("#[") && (line.contains("test") || line.contains("case(")) {
            is_test = true;
        }
    }
    None
}

/// Finds `proves: [ID, …]` or a list of `- ID` below `proves:`.
fn in_scenario(text: &str, file: &Path, claims: &mut Vec<Claim>, problems: &mut Vec<Problem>) {
    let stem = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut name = stem;
    for (index, line) in lines.iter().enumerate() {
        if let Some(value) = line.strip_prefix("- name:").or(line.strip_prefix("name:"))
            && indent(text, index) == 0
        {
            value.trim().trim_matches(['"', '\'']).clone_into(&mut name);
        }
        let Some(rest) = line.strip_prefix("proves:") else {
            continue;
        };
        let mut list = rest.trim().to_owned();
        let mut next = index + 1;
        if list.starts_with('[') {
            while !list.contains(']') {
                let Some(more) = lines.get(next) else { break };
                list.push_str(more);
                next += 1;
            }
        } else if list.is_empty() {
            while let Some(id) = lines.get(next).and_then(|line| line.strip_prefix("- ")) {
                list.push_str(id);
                list.push(',');
                next += 1;
            }
        }
        let Some(list) = list
            .strip_prefix('[')
            .and_then(|list| list.split_once(']'))
            .map(|(list, _)| list.to_owned())
            .or_else(|| (!list.starts_with('[')).then_some(list))
        else {
            problems.push(Problem {
                file: file.into(),
                line: Some(index + 1),
                message: "the list of checks has no closing bracket".to_owned(),
            });
            continue;
        };
        claims.extend(ids(&list).map(|id| Claim {
            id,
            file: file.into(),
            line: index + 1,
            name: name.clone(),
        }));
    }
}

/// Leading spaces of a line of `text`.
fn indent(text: &str, line: usize) -> usize {
    text.lines()
        .nth(line)
        .map_or(0, |line| line.len() - line.trim_start().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> (Vec<(String, String)>, Vec<String>) {
        let (mut claims, mut problems) = (Vec::new(), Vec::new());
        in_source(text, Path::new("a.rs"), &mut claims, &mut problems);
        (
            claims
                .into_iter()
                .map(|claim| (claim.id, claim.name))
                .collect(),
            problems
                .into_iter()
                .map(|problem| problem.message)
                .collect(),
        )
    }

    /// The claim is found over several lines, with more text and attributes before the function.
    #[test]
    fn claims_of_tests_are_found() {
        let marker = "/// Proves";
        let (claims, problems) = source(&format!(
            "/// Goal.\n///\n{marker} A-B-01,\n/// A-B-02. More.\n/// Even more.\n#[tokio::test(start_paused = true)]\nasync fn it_holds() {{\n"
        ));
        assert_eq!(problems, Vec::<String>::new());
        let name = "it_holds".to_owned();
        assert_eq!(
            claims,
            [
                ("A-B-01".to_owned(), name.clone()),
                ("A-B-02".to_owned(), name)
            ]
        );
    }

    /// A claim above something that is no test is named.
    #[test]
    fn claims_elsewhere_are_problems() {
        let marker = "/// Proves";
        for text in [
            format!("{marker} A-B-01.\nfn helper() {{}}\n"),
            format!("{marker} A-B-01.\nstruct Helper;\n"),
            format!("{marker} A-B-01\n#[test]\nfn no_full_stop() {{}}\n"),
        ] {
            let (claims, problems) = source(&text);
            assert_eq!((claims.len(), problems.len()), (0, 1), "{text}");
        }
    }

    /// Only scenarios that are played count.
    #[test]
    fn scenarios_elsewhere_claim_nothing() {
        for (file, counts) in [
            ("runner/src/trace/limit.rs", true),
            ("scenarios/catalogue/fair-usage-1.yml", true),
            ("scenarios/waiting/fair-usage-1.yml", false),
            ("fuzz/corpus/scenario/small.yml", false),
            ("docs/conformance.md", false),
        ] {
            assert_eq!(claims_count_in(Path::new(file)), counts, "{file}");
        }
    }

    /// Scenario files claim inline or as a list, under their name.
    #[test]
    fn claims_of_scenarios_are_found() {
        for text in [
            "name: six\nproves: [A-B-01, A-B-02]\n",
            "name: six\nproves: [A-B-01,\n  A-B-02]\n",
            "name: six\nproves:\n- A-B-01\n- A-B-02\nsteps: []\n",
        ] {
            let (mut claims, mut problems) = (Vec::new(), Vec::new());
            in_scenario(text, Path::new("x.yml"), &mut claims, &mut problems);
            let found: Vec<_> = claims
                .iter()
                .map(|c| (c.id.as_str(), c.name.as_str()))
                .collect();
            assert_eq!(found, [("A-B-01", "six"), ("A-B-02", "six")]);
            assert!(problems.is_empty());
        }
    }
}
