//! Writing to the terminal. A closed pipe (`gauntlet list | head`) ends the output, not the program.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::report::{Line, exit_code, failure, json, junit, style, table};

/// Writes to standard output.
pub(super) fn out(text: &str) {
    let _ = anstream::stdout().write_all(text.as_bytes());
}

/// Writes an error to standard error.
pub(super) fn error(problem: &str) {
    let _ = writeln!(
        anstream::stderr(),
        "{}: {problem}",
        style::paint(style::BAD, "error")
    );
}

/// What to print and write at the end of a run.
pub(super) struct Report<'a> {
    /// Results in stable order.
    pub lines: &'a [Line],
    /// Seed from the command line.
    pub seed: Option<u64>,
    /// Whole time.
    pub took: Duration,
    /// JSON instead of the table.
    pub json: bool,
    /// JUnit file.
    pub junit: Option<&'a Path>,
    /// Hints for the failure of a line.
    pub hints: &'a dyn Fn(&Line) -> failure::Hints,
}

impl Report<'_> {
    /// Prints, writes, and gives the exit code.
    pub(super) fn finish(&self) -> Result<u8, String> {
        if let Some(path) = self.junit {
            write(path, &junit::report(self.lines, self.took))?;
        }
        if self.json {
            out(&format!(
                "{:#}\n",
                json::report(self.lines, self.seed, self.took)
            ));
            return Ok(exit_code(self.lines));
        }
        out(&table::table(self.lines));
        for line in self.lines {
            let text = failure::failure(line, &(self.hints)(line));
            if !text.is_empty() {
                out(&format!("\n{text}"));
            }
        }
        out(&format!("{}\n", table::summary(self.lines, self.took)));
        Ok(exit_code(self.lines))
    }
}

/// Writes a file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text)
        .map_err(|error| format!("{}: cannot be written: {error}", path.display()))
}

/// A progress bar on standard error, where that is a terminal.
pub(super) fn progress(count: usize) -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::new(count as u64);
    if let Ok(style) = indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}
