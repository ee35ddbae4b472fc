//! What people and machines read: the table, failures, JSON, JUnit.

pub mod failure;
pub mod json;
pub mod junit;
pub mod style;
pub mod table;

use std::time::Duration;

use crate::engine::verdict::Mismatch;
use crate::scenario::ClockKind;

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name of the scenario, vector or recording.
    pub name: String,
    /// Clock; `None` = neither, as for replays.
    pub clock: Option<ClockKind>,
    /// What happens in it.
    pub about: String,
    /// Checks that it proves.
    pub proves: Vec<String>,
    /// Time that it took, on the machine's clock.
    pub took: Duration,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is as expected.
    Passed,
    /// Something is not.
    Failed(Vec<Mismatch>),
    /// It could not be played.
    Broken(String),
    /// It is known not to be as expected yet, for this reason.
    Open(String),
}

impl Verdict {
    /// The word in the table.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "failed",
            Verdict::Broken(_) => "broken",
            Verdict::Open(_) => "open",
        }
    }
}

impl Line {
    /// The clock's name, or `-`.
    pub fn clock_name(&self) -> String {
        self.clock
            .map_or_else(|| "-".to_owned(), |clock| clock.to_string())
    }
}

/// Exit code of a run: 0 passed, 1 failed, 2 broken.
pub fn exit_code(lines: &[Line]) -> u8 {
    lines
        .iter()
        .map(|line| match line.verdict {
            Verdict::Passed | Verdict::Open(_) => 0,
            Verdict::Failed(_) => 1,
            Verdict::Broken(_) => 2,
        })
        .max()
        .unwrap_or(0)
}
