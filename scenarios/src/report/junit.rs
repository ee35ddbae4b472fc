//! The report as JUnit XML, which GitLab and other CI systems show.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Line, Verdict};

/// The report.
pub fn report(lines: &[Line], took: Duration) -> String {
    let count = |word: &str| {
        lines
            .iter()
            .filter(|line| line.verdict.word() == word)
            .count()
    };
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites><testsuite name=\"gauntlet\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\">",
        lines.len(),
        count("failed"),
        count("broken"),
        took.as_secs_f64()
    );
    for line in lines {
        let _ = write!(
            out,
            "  <testcase classname=\"gauntlet.{}\" name=\"{}\" time=\"{:.3}\"",
            escape(&line.clock_name()),
            escape(&line.name),
            line.took.as_secs_f64()
        );
        match &line.verdict {
            Verdict::Passed => out.push_str("/>\n"),
            Verdict::Open(reason) => {
                let _ = writeln!(out, "><skipped message=\"{}\"/></testcase>", escape(reason));
            }
            Verdict::Broken(problem) => {
                let _ = writeln!(out, "><error message=\"{}\"/></testcase>", escape(problem));
            }
            Verdict::Failed(mismatches) => {
                let mut text = String::new();
                for mismatch in mismatches {
                    let _ = writeln!(text, "{}", mismatch.what);
                    for line in &mismatch.expected {
                        let _ = writeln!(text, "- {line}");
                    }
                    for line in &mismatch.seen {
                        let _ = writeln!(text, "+ {line}");
                    }
                }
                let what = mismatches
                    .first()
                    .map_or("", |mismatch| mismatch.what.as_str());
                let _ = writeln!(
                    out,
                    "><failure message=\"{}\">{}</failure></testcase>",
                    escape(what),
                    escape(&text)
                );
            }
        }
    }
    out.push_str("</testsuite></testsuites>\n");
    out
}

/// XML text; control characters that XML 1.0 cannot hold are left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::verdict::Mismatch;

    #[test]
    fn failures_are_escaped() {
        let line = Line {
            name: "a\"b".to_owned(),
            clock: None,
            about: String::new(),
            proves: Vec::new(),
            took: Duration::from_millis(1500),
            verdict: Verdict::Failed(vec![Mismatch {
                what: "picks".to_owned(),
                expected: vec!["<1>".to_owned()],
                seen: vec!["\x1b[0K&".to_owned()],
            }]),
        };
        let xml = report(&[line], Duration::from_secs(2));
        assert!(xml.contains("name=\"a&quot;b\" time=\"1.500\""), "{xml}");
        assert!(xml.contains("- &lt;1&gt;\n+ [0K&amp;\n"), "{xml}");
        assert!(xml.contains("failures=\"1\" errors=\"0\""), "{xml}");
    }
}
