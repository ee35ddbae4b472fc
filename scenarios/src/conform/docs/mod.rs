//! The page `docs/conformance.md`: every check, and the test or scenario that proves it.
//!
//! - `docs/checks.tsv` lists all checks: id, level, side, statement ([`checks`]).
//! - A test claims checks with a doc comment line `/// Proves RUN-LOG-04, RUN-LOG-05.`, a scenario file
//!   with a key `proves: [ID, …]` ([`claims`]).
//! - `docs/conformance-open.toml` gives the reason why a check is not proved yet ([`open`]).
//!
//! [`check`] holds them together: nothing is claimed that does not exist, nothing is neither proved nor
//! explained, and the page is up to date.

mod checks;
mod claims;
mod open;
mod page;

use std::fmt;
use std::path::{Path, PathBuf};

pub use checks::{Check, Level};
pub use claims::Claim;

/// The command that brings the page up to date, for messages.
pub const COMMAND: &str = "cargo run --release -- conform docs";

/// Path of the page, below the root of the repository.
pub const PAGE: &str = "docs/conformance.md";
const CHECKS: &str = "docs/checks.tsv";
const OPEN: &str = "docs/conformance-open.toml";

/// Why the page cannot be made or does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, below the root.
    pub file: PathBuf,
    /// Line, from 1; `None` for the whole file.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// How many checks there are, and what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All checks.
    pub checks: usize,
    /// Those that a test or scenario proves.
    pub proved: usize,
    /// The rest, each with a reason.
    pub open: usize,
}

/// Makes the page from the sources below `root` and writes it.
///
/// # Errors
///
/// Everything that [`check`] finds, except for a page that is out of date.
pub fn generate(root: &Path) -> Result<Counts, Vec<Problem>> {
    let (text, counts) = render(root)?;
    let page = root.join(PAGE);
    std::fs::write(&page, text).map_err(|error| {
        vec![Problem {
            file: PAGE.into(),
            line: None,
            message: format!("cannot be written: {error}"),
        }]
    })?;
    Ok(counts)
}

/// Checks that all claims hold together and that the page is up to date.
///
/// # Errors
///
/// Every problem that was found, in the order of files and lines.
pub fn check(root: &Path) -> Result<Counts, Vec<Problem>> {
    let (text, counts) = render(root)?;
    if std::fs::read_to_string(root.join(PAGE)).ok().as_deref() == Some(text.as_str()) {
        Ok(counts)
    } else {
        Err(vec![Problem {
            file: PAGE.into(),
            line: None,
            message: format!("is not up to date, run: {COMMAND}"),
        }])
    }
}

/// The folder that holds `docs/checks.tsv`: `from` or one above it.
pub fn find_root(from: &Path) -> Option<PathBuf> {
    from.ancestors()
        .find(|folder| folder.join(CHECKS).is_file())
        .map(Path::to_path_buf)
}

fn render(root: &Path) -> Result<(String, Counts), Vec<Problem>> {
    let mut problems = Vec::new();
    let checks = checks::parse(&read(root, CHECKS)?, Path::new(CHECKS), &mut problems);
    let claims = claims::find(root, &mut problems);
    let open = open::parse(&read(root, OPEN)?, Path::new(OPEN), &mut problems);
    let proofs = claims::by_check(&checks, &claims, &mut problems);
    let reasons = open.by_check(&checks, &proofs, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let counts = Counts {
        checks: checks.len(),
        proved: proofs.len(),
        open: reasons.len(),
    };
    Ok((page::render(&checks, &proofs, &reasons), counts))
}

fn read(root: &Path, file: &str) -> Result<String, Vec<Problem>> {
    std::fs::read_to_string(root.join(file)).map_err(|error| {
        vec![Problem {
            file: file.into(),
            line: None,
            message: format!("cannot be read: {error}"),
        }]
    })
}
