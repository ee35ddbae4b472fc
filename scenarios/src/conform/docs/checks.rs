//! The list of all checks, `docs/checks.tsv`.

use std::collections::BTreeSet;
use std::path::Path;

use super::Problem;

/// How binding a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A runner or server without it does not conform.
    Must,
    /// Wanted.
    Should,
}

impl Level {
    /// Word for the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Must => "must",
            Level::Should => "should",
        }
    }
}

/// One check of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Such as `WIRE-TRC-07`; never renumbered.
    pub id: String,
    /// How binding it is.
    pub level: Level,
    /// `R` runner, `S` server, `R/S` both.
    pub side: String,
    /// What must hold, in a few words.
    pub statement: String,
}

impl Check {
    /// The part of the id that groups checks: `WIRE-TRC`, `QUE`.
    pub fn area(&self) -> &str {
        match self.id.rsplit_once('-') {
            Some((area, _)) if !area.starts_with("QUE") => area,
            _ => "QUE",
        }
    }
}

/// Reads the list; `#` starts a comment line.
pub(super) fn parse(text: &str, file: &Path, problems: &mut Vec<Problem>) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut problem = |message: String| {
            problems.push(Problem {
                file: file.into(),
                line: Some(index + 1),
                message,
            });
        };
        let cells: Vec<&str> = line.split('\t').collect();
        let [id, level, side, statement] = cells[..] else {
            problem(format!(
                "has {} cells, expected id, level, side and statement separated by tabs",
                cells.len()
            ));
            continue;
        };
        let level = match level {
            "M" => Level::Must,
            "S" => Level::Should,
            other => {
                problem(format!("level `{other}` is neither M nor S"));
                continue;
            }
        };
        if !seen.insert(id.to_owned()) {
            problem(format!("check {id} is listed twice"));
            continue;
        }
        checks.push(Check {
            id: id.to_owned(),
            level,
            side: side.to_owned(),
            statement: statement.to_owned(),
        });
    }
    checks
}
