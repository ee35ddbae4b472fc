//! The table: one line for each scenario and clock.

use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::style::{BAD, DIM, GOOD, TITLE, paint};
use super::{Line, Verdict};

/// The table as text, with colours.
pub fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["scenario", "clock", "what", "time", "verdict"]);
    for line in lines {
        table.add_row([
            line.name.clone(),
            line.clock_name(),
            line.about.clone(),
            duration(line.took),
            line.verdict.word().to_owned(),
        ]);
    }
    if let Some(column) = table.column_mut(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    // Painted afterwards: the table must not count colours as text.
    let mut out = String::new();
    for (index, text) in table.to_string().lines().enumerate() {
        let text = text.trim_end();
        match index.checked_sub(1).and_then(|index| lines.get(index)) {
            None => out.push_str(&paint(TITLE, text)),
            Some(line) => {
                let word = line.verdict.word();
                let style = match line.verdict {
                    Verdict::Passed => GOOD,
                    Verdict::Open(_) => DIM,
                    Verdict::Failed(_) | Verdict::Broken(_) => BAD,
                };
                let head = text.strip_suffix(word).unwrap_or(text);
                out.push_str(head);
                out.push_str(&paint(style, word));
            }
        }
        out.push('\n');
    }
    out
}

/// The last line.
pub fn summary(lines: &[Line], took: Duration) -> String {
    let count = |word: &str| {
        lines
            .iter()
            .filter(|line| line.verdict.word() == word)
            .count()
    };
    let (failed, broken) = (count("failed"), count("broken"));
    let mut parts = vec![format!("{} passed", count("passed"))];
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    if broken > 0 {
        parts.push(format!("{broken} broken"));
    }
    if count("open") > 0 {
        parts.push(format!("{} open", count("open")));
    }
    let style = if failed + broken == 0 { GOOD } else { BAD };
    format!(
        "{} {}",
        paint(style, &parts.join(", ")),
        paint(DIM, &format!("in {}", duration(took)))
    )
}

/// A duration for people.
pub fn duration(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    if ms < 100.0 {
        format!("{ms:.1} ms")
    } else if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_for_people() {
        for (ms, text) in [(1.26, "1.3 ms"), (450.4, "450 ms"), (2345.0, "2.3 s")] {
            assert_eq!(duration(Duration::from_secs_f64(ms / 1000.0)), text);
        }
    }
}
