//! Differences between a replay and its recording, and which of them are wanted.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::plan::Wanted;

/// Lines of context around a difference in a log.
const CONTEXT_LINES: usize = 2;
/// Most differences of one text or stream that are told.
const MOST_OF_ONE: usize = 3;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where: `log of job 1001, line 12`.
    pub place: String,
    /// Lines or values that only the recording has.
    pub gone: Vec<String>,
    /// Lines or values that only the replay has.
    pub new: Vec<String>,
    /// Lines before, or the request it belongs to; may be empty.
    pub context: Vec<String>,
}

impl Difference {
    /// One value differs.
    pub fn value(
        place: impl Into<String>,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Difference {
        Difference {
            place: place.into(),
            gone: vec![expected.into()],
            new: vec![actual.into()],
            context: Vec::new(),
        }
    }

    /// The same with context.
    #[must_use]
    pub fn within(mut self, context: Vec<String>) -> Difference {
        self.context = context;
        self
    }
}

/// Control characters made visible, so that a difference in one can be seen.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\x1b' => out.push_str("\\e"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// All places in which two texts differ, by lines.
pub fn lines(what: &str, expected: &str, actual: &str) -> Vec<Difference> {
    if expected == actual {
        return Vec::new();
    }
    let split = |text: &str| -> Vec<String> { text.split_inclusive('\n').map(visible).collect() };
    let (expected, actual) = (split(expected), split(actual));
    capture_diff_slices(Algorithm::Myers, &expected, &actual)
        .into_iter()
        .filter(|op| !matches!(op, DiffOp::Equal { .. }))
        .map(|op| {
            let (old, new) = (op.old_range(), op.new_range());
            Difference {
                place: format!("{what}, line {}", old.start + 1),
                context: expected[old.start.saturating_sub(CONTEXT_LINES)..old.start].to_vec(),
                gone: expected[old].to_vec(),
                new: actual[new].to_vec(),
            }
        })
        .collect()
}

impl Wanted {
    /// Takes what is wanted out of `differences`. What is wanted and not there is a difference too.
    pub fn take_from(&self, differences: &mut Vec<Difference>) {
        let mut gone = Texts::new(&self.gone);
        let mut new = Texts::new(&self.new);
        for difference in differences.iter_mut() {
            if difference.place.starts_with(&self.place) {
                difference.gone.retain(|line| !gone.fits(line));
                difference.new.retain(|line| !new.fits(line));
            }
        }
        differences.retain(|difference| !difference.gone.is_empty() || !difference.new.is_empty());
        for (unused, side) in [(gone, "the recording"), (new, "the replay")] {
            for text in unused.unused() {
                differences.push(Difference::value(
                    &self.place,
                    format!("wanted: `{text}` only in {side}: {}", self.why),
                    "no such difference",
                ));
            }
        }
    }
}

/// Texts, and which of them were found.
struct Texts<'a>(Vec<(&'a str, bool)>);

impl<'a> Texts<'a> {
    fn new(texts: &'a [String]) -> Texts<'a> {
        Texts(texts.iter().map(|text| (text.as_str(), false)).collect())
    }

    fn fits(&mut self, line: &str) -> bool {
        let mut found = false;
        for (text, used) in &mut self.0 {
            if line.contains(*text) {
                *used = true;
                found = true;
            }
        }
        found
    }

    fn unused(self) -> impl Iterator<Item = &'a str> {
        self.0
            .into_iter()
            .filter(|(_, used)| !used)
            .map(|(text, _)| text)
    }
}

/// Leaves out all but the first differences of each text and stream: what follows them follows from them.
pub fn shorten(differences: &mut Vec<Difference>) {
    let mut last = (String::new(), 0);
    differences.retain(|difference| {
        let at = difference.place.find(", line ");
        let Some(at) = at.or_else(|| difference.place.find(", request ")) else {
            return true;
        };
        let text = &difference.place[..at];
        if last.0 != text {
            last = (text.to_owned(), 0);
        }
        last.1 += 1;
        last.1 <= MOST_OF_ONE
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_are_shown_in_context() {
        let found = lines(
            "log of job 1",
            "a\nb\nc\x1b[0K\nd\ne\n",
            "a\nb\nx\nd\ne\nf\n",
        );
        assert_eq!(
            found,
            [
                Difference::value("log of job 1, line 3", "c\\e[0K\\n", "x\\n")
                    .within(vec!["a\\n".to_owned(), "b\\n".to_owned()]),
                Difference {
                    place: "log of job 1, line 6".to_owned(),
                    gone: Vec::new(),
                    new: vec!["f\\n".to_owned()],
                    context: vec!["d\\n".to_owned(), "e\\n".to_owned()],
                },
            ]
        );
        assert_eq!(lines("log", "a\n", "a\n"), []);
    }

    fn wanted(gone: &[&str], new: &[&str]) -> Wanted {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Wanted {
            place: "log of job 1".to_owned(),
            why: "better".to_owned(),
            gone: texts(gone),
            new: texts(new),
        }
    }

    #[test]
    fn only_what_is_named_is_wanted() {
        let all = || lines("log of job 1", "a\nb\nc\n", "a\nx\nc\ny\n");
        let left = |wanted: &Wanted| {
            let mut left = all();
            wanted.take_from(&mut left);
            left
        };
        assert_eq!(left(&wanted(&["b"], &["x", "y"])), []);
        // Another line is a difference still.
        let rest = left(&wanted(&["b"], &["x"]));
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].new, ["y\\n"]);
        // One that is not there is missed.
        let rest = left(&wanted(&["b"], &["x", "y", "z"]));
        assert_eq!(rest.len(), 1);
        assert!(
            rest[0].gone[0].contains("`z` only in the replay"),
            "{rest:?}"
        );
        // Another place is not touched.
        let mut other = lines("log of job 2", "b\n", "x\n");
        wanted(&["b"], &["x"]).take_from(&mut other);
        assert_eq!(other.len(), 3);
    }

    #[test]
    fn what_follows_from_a_difference_is_left_out() {
        let mut all = lines("log", "a\n1\nb\n2\nc\n3\nd\n4\n", "a\nb\nc\nd\n");
        assert_eq!(all.len(), 4);
        all.push(Difference::value("exit", "0", "1"));
        shorten(&mut all);
        assert_eq!(all.len(), 4);
    }
}
