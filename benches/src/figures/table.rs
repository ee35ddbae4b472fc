//! One row per figure.

use std::time::Duration;

/// Whether a figure meets its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Met,
    /// It does not.
    Missed,
    /// There is no target; the figure is for the record.
    Noted,
}

/// One measured figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// The value with its unit.
    pub value: String,
    /// The target with its unit; empty without one.
    pub target: String,
    /// How they compare.
    pub verdict: Verdict,
}

impl Figure {
    /// A figure without a target.
    pub fn noted(what: impl Into<String>, value: impl Into<String>) -> Figure {
        Figure {
            what: what.into(),
            value: value.into(),
            target: String::new(),
            verdict: Verdict::Noted,
        }
    }

    /// A figure that is good when `met`.
    pub fn judged(
        what: impl Into<String>,
        value: impl Into<String>,
        target: impl Into<String>,
        met: bool,
    ) -> Figure {
        Figure {
            what: what.into(),
            value: value.into(),
            target: target.into(),
            verdict: if met { Verdict::Met } else { Verdict::Missed },
        }
    }
}

impl Figure {
    /// One line for another process of this program.
    pub fn to_line(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Met => "met",
            Verdict::Missed => "missed",
            Verdict::Noted => "noted",
        };
        [&self.what, &self.value, &self.target, verdict].join("\t")
    }

    /// Reads [`Figure::to_line`].
    pub fn from_line(line: &str) -> Option<Figure> {
        let cells: Vec<&str> = line.split('\t').collect();
        let [what, value, target, verdict] = cells[..] else {
            return None;
        };
        Some(Figure {
            what: what.to_owned(),
            value: value.to_owned(),
            target: target.to_owned(),
            verdict: match verdict {
                "met" => Verdict::Met,
                "missed" => Verdict::Missed,
                "noted" => Verdict::Noted,
                _ => return None,
            },
        })
    }
}

/// A duration with three significant figures.
pub(super) fn time(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos() as f64;
    let (value, unit) = if nanoseconds < 1e3 {
        (nanoseconds, "ns")
    } else if nanoseconds < 1e6 {
        (nanoseconds / 1e3, "µs")
    } else if nanoseconds < 1e9 {
        (nanoseconds / 1e6, "ms")
    } else {
        (nanoseconds / 1e9, "s")
    };
    let decimals = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

/// Bytes in MiB.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}

/// Prints the figures as a Markdown table. Returns whether every target was met.
pub fn print(figures: &[Figure]) -> bool {
    let head = ["figure", "value", "target", ""].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(head)
        .chain(figures.iter().map(|figure| {
            let verdict = match figure.verdict {
                Verdict::Met => "met",
                Verdict::Missed => "MISSED",
                Verdict::Noted => "",
            };
            [
                figure.what.clone(),
                figure.value.clone(),
                figure.target.clone(),
                verdict.to_owned(),
            ]
        }))
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..4).map(width).collect();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        println!("| {} |", cells.join(" | "));
        if index == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
            println!("|{}|", rules.join("|"));
        }
    }
    figures
        .iter()
        .all(|figure| figure.verdict != Verdict::Missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back() {
        for figure in [
            Figure::noted("a", "1 s"),
            Figure::judged("b", "2 s", "< 3 s", true),
            Figure::judged("c", "4 s", "< 3 s", false),
        ] {
            assert_eq!(Figure::from_line(&figure.to_line()), Some(figure));
        }
        assert_eq!(Figure::from_line("a\tb"), None);
    }

    #[test]
    fn times_have_three_figures() {
        for (nanoseconds, text) in [
            (5, "5.00 ns"),
            (450, "450 ns"),
            (1234, "1.23 µs"),
            (45_678, "45.7 µs"),
            (999_000_000, "999 ms"),
            (2_500_000_000, "2.50 s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanoseconds)), text);
        }
    }
}
