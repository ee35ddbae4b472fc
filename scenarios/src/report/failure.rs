//! A failure in five parts: what was required, expected, seen, how to run only this, where the log is.

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};

use super::style::{BAD, DIM, GOOD, TITLE, paint};
use super::{Line, Verdict};
use crate::engine::verdict::Mismatch;
use crate::scenario::ClockKind;

/// Most lines of seen text that are shown.
const MOST_LINES: usize = 40;

/// What the reader can do.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// Command that plays only this.
    pub command: String,
    /// File with the event log; `None` = none was asked for.
    pub events: Option<String>,
}

/// The text for one line that did not pass; empty for one that did.
pub fn failure(line: &Line, hints: &Hints) -> String {
    let mut out = String::new();
    let title = format!("{} {}", line.name, line.clock_name());
    match &line.verdict {
        Verdict::Passed | Verdict::Open(_) => return out,
        Verdict::Broken(problem) => {
            let _ = writeln!(out, "{}: {problem}", paint(BAD, &format!("{title} broken")));
        }
        Verdict::Failed(mismatches) => {
            let _ = writeln!(out, "{}", paint(BAD, &format!("{title} failed")));
            let _ = write!(out, "  required   {}", line.about);
            if !line.proves.is_empty() {
                let _ = write!(out, " ({})", line.proves.join(", "));
            }
            out.push('\n');
            for mismatch in mismatches {
                part(&mut out, mismatch);
            }
        }
    }
    let _ = writeln!(out, "  run it     {}", hints.command);
    let _ = match &hints.events {
        Some(file) => writeln!(out, "  event log  {file}"),
        None => writeln!(out, "  event log  add {}", paint(DIM, "--events FILE")),
    };
    out
}

fn part(out: &mut String, mismatch: &Mismatch) {
    let _ = writeln!(out, "  {}", paint(TITLE, &mismatch.what));
    if mismatch.expected.len() > 1 && mismatch.seen.len() > 1 {
        diff(out, &mismatch.expected, &mismatch.seen);
        return;
    }
    for line in &mismatch.expected {
        let _ = writeln!(out, "  expected   {}", paint(GOOD, line));
    }
    let hidden = mismatch.seen.len().saturating_sub(MOST_LINES);
    for (index, line) in mismatch.seen.iter().take(MOST_LINES).enumerate() {
        let label = if index == 0 { "seen    " } else { "        " };
        let _ = writeln!(out, "  {label}   {}", paint(BAD, line));
    }
    if hidden > 0 {
        let _ = writeln!(out, "             … and {hidden} more lines");
    }
    if mismatch.seen.is_empty() {
        let _ = writeln!(out, "  seen       (nothing)");
    }
}

/// Both lists in one, `-` expected only, `+` seen only.
fn diff(out: &mut String, expected: &[String], seen: &[String]) {
    let (one, other) = (expected.join("\n"), seen.join("\n"));
    let _ = writeln!(
        out,
        "  {} expected, {} seen",
        paint(GOOD, "-"),
        paint(BAD, "+")
    );
    for change in TextDiff::from_lines(one.as_str(), other.as_str()).iter_all_changes() {
        let text = change.value().trim_end_matches('\n');
        let line = match change.tag() {
            ChangeTag::Delete => paint(GOOD, &format!("- {text}")),
            ChangeTag::Insert => paint(BAD, &format!("+ {text}")),
            ChangeTag::Equal => format!("  {text}"),
        };
        let _ = writeln!(out, "    {line}");
    }
}

/// The command that plays only this scenario again.
pub fn command(name: &str, clock: Option<ClockKind>, seed: u64) -> String {
    match clock {
        Some(clock) => format!("gauntlet run {name} --clock {clock} --seed {seed}"),
        None => format!("gauntlet replay {name}"),
    }
}
