//! Variables in names and paths of artifacts, expanded as in a shell word in double quotes
//! (runner.md 12).

use std::collections::BTreeMap;

/// Reads `text` with the variables of `environment`. An error names what cannot be expanded; the caller
/// keeps the text as it is then.
pub(super) fn expand(
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut reader = Reader {
        chars: text.chars().collect(),
        at: 0,
        environment,
    };
    reader.words(None)
}

/// Variables of the process, as [`expand`] takes them. One that is no UTF-8 counts as unset.
pub(super) fn process_environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

struct Reader<'a> {
    chars: Vec<char>,
    at: usize,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn takes(&mut self, text: &str) -> bool {
        let fits = text
            .chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if fits {
            self.at += text.chars().count();
        }
        fits
    }

    /// Where the reader is, as errors name it.
    fn place(&self, at: usize) -> String {
        let before = self.chars.get(..at).unwrap_or_default();
        let line = before.iter().filter(|c| **c == '\n').count() + 1;
        let column: usize = before
            .iter()
            .rev()
            .take_while(|c| **c != '\n')
            .map(|c| c.len_utf8())
            .sum();
        format!("{line}:{}", column + 1)
    }

    /// Text up to `until`, which is read too, or up to the end.
    fn words(&mut self, until: Option<char>) -> Result<String, String> {
        let mut out = String::new();
        while let Some(c) = self.peek() {
            if Some(c) == until {
                self.at += 1;
                return Ok(out);
            }
            if self.takes("\\$") {
                out.push('$');
            } else if c == '`' || (c == '$' && self.is_command()) {
                return Err(format!(
                    "unexpected command substitution at {}",
                    self.place(self.at)
                ));
            } else if self.takes("$((") {
                out.push_str(&self.arithmetic()?);
            } else if self.takes("${") {
                out.push_str(&self.braced()?);
            } else if c == '$' {
                self.at += 1;
                match self.name() {
                    name if name.is_empty() => out.push('$'),
                    name => out.push_str(&self.value(&name).unwrap_or_default()),
                }
            } else {
                out.push(c);
                self.at += 1;
            }
        }
        match until {
            Some(end) => Err(format!("reached the end of the text without closing {end}")),
            None => Ok(out),
        }
    }

    fn is_command(&self) -> bool {
        self.chars.get(self.at + 1) == Some(&'(') && self.chars.get(self.at + 2) != Some(&'(')
    }

    fn value(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            let fits =
                c == '_' || c.is_ascii_alphabetic() || (c.is_ascii_digit() && !name.is_empty());
            if !fits {
                break;
            }
            name.push(c);
            self.at += 1;
        }
        name
    }

    /// What stands behind `${`, up to its brace.
    fn braced(&mut self) -> Result<String, String> {
        let place = self.place(self.at.saturating_sub(2));
        if self.takes("#") {
            let name = self.name();
            if !name.is_empty() && self.takes("}") {
                let value = self.value(&name).unwrap_or_default();
                return Ok(value.chars().count().to_string());
            }
            return Err(format!("unsupported parameter expansion at {place}"));
        }
        let name = self.name();
        if name.is_empty() {
            return Err(format!("invalid parameter name at {place}"));
        }
        let value = self.value(&name);
        if self.takes("}") {
            return Ok(value.unwrap_or_default());
        }
        for operator in [
            ":-", ":=", ":+", ":?", "-", "=", "+", "?", "%%", "%", "##", "#",
        ] {
            if !self.takes(operator) {
                continue;
            }
            let word = self.words(Some('}'))?;
            let given = if operator.starts_with(':') {
                value.filter(|value| !value.is_empty())
            } else {
                value
            };
            return match operator.trim_start_matches(':') {
                "-" | "=" => Ok(given.unwrap_or(word)),
                "+" => Ok(given.map_or_else(String::new, |_| word)),
                "?" => given.ok_or_else(|| format!("{name}: {word}")),
                cut => Ok(trim(&given.unwrap_or_default(), &word, cut)),
            };
        }
        Err(format!("unsupported parameter expansion at {place}"))
    }

    /// What stands behind `$((`, up to `))`: whole numbers, variables, `+ - * / %` and brackets.
    fn arithmetic(&mut self) -> Result<String, String> {
        let place = self.place(self.at.saturating_sub(3));
        let wrong = || format!("unsupported arithmetic expression at {place}");
        let value = self.sum(0).ok_or_else(wrong)?;
        self.blanks();
        if self.takes("))") {
            Ok(value.to_string())
        } else {
            Err(wrong())
        }
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn sum(&mut self, depth: u8) -> Option<i64> {
        let mut value = self.product(depth)?;
        loop {
            self.blanks();
            if self.takes("+") {
                value = value.wrapping_add(self.product(depth)?);
            } else if self.takes("-") {
                value = value.wrapping_sub(self.product(depth)?);
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self, depth: u8) -> Option<i64> {
        let mut value = self.factor(depth)?;
        loop {
            self.blanks();
            if self.takes("*") {
                value = value.wrapping_mul(self.factor(depth)?);
            } else if self.takes("/") {
                value = value.checked_div(self.factor(depth)?)?;
            } else if self.takes("%") {
                value = value.checked_rem(self.factor(depth)?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn factor(&mut self, depth: u8) -> Option<i64> {
        if depth > 50 {
            return None;
        }
        self.blanks();
        if self.takes("(") {
            let value = self.sum(depth + 1)?;
            self.blanks();
            return self.takes(")").then_some(value);
        }
        if self.takes("-") {
            return self.factor(depth + 1).map(i64::wrapping_neg);
        }
        let _ = self.takes("$");
        let name = self.name();
        if !name.is_empty() {
            let value = self.value(&name).unwrap_or_default();
            return Some(value.trim().parse().unwrap_or(0));
        }
        let mut digits = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_digit) {
            digits.push(c);
            self.at += 1;
        }
        digits.parse().ok()
    }
}

/// `${value#pattern}`, `##`, `%` and `%%`: without the shortest or longest start or end that matches.
fn trim(value: &str, pattern: &str, cut: &str) -> String {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut edges: Vec<usize> = value.char_indices().map(|(at, _)| at).collect();
    edges.push(value.len());
    let from_start = cut.starts_with('#');
    // The longest start and the shortest end are found from behind.
    if (cut == "##") || (cut == "%") {
        edges.reverse();
    }
    let edge = edges.into_iter().find(|edge| {
        let (start, end) = value.split_at(*edge);
        wildcard(
            &pattern,
            &(if from_start { start } else { end })
                .chars()
                .collect::<Vec<_>>(),
        )
    });
    match edge {
        Some(edge) if from_start => value[edge..].to_owned(),
        Some(edge) => value[..edge].to_owned(),
        None => value.to_owned(),
    }
}

/// A shell pattern of `*` and `?`; here `*` matches `/` too.
fn wildcard(pattern: &[char], text: &[char]) -> bool {
    // Where the pattern can be after each character of the text.
    let mut row = vec![false; pattern.len() + 1];
    row[0] = true;
    let stars = |row: &mut Vec<bool>| {
        for (at, c) in pattern.iter().enumerate() {
            if row[at] && *c == '*' {
                row[at + 1] = true;
            }
        }
    };
    stars(&mut row);
    for c in text {
        let mut next = vec![false; pattern.len() + 1];
        for (at, wanted) in pattern.iter().enumerate() {
            if row[at] && *wanted == '*' {
                next[at] = true;
            } else if row[at] && (*wanted == '?' || wanted == c) {
                next[at + 1] = true;
            }
        }
        stars(&mut next);
        row = next;
    }
    row[pattern.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Result<String, String> {
        let environment = |name: &str| match name {
            "A" => Some("a/b.tar.gz".to_owned()),
            "N" => Some("4".to_owned()),
            "E" => Some(String::new()),
            _ => None,
        };
        expand(text, &environment)
    }

    /// Goal: what runner.md 12 says of names and paths.
    #[test]
    fn words() {
        for (text, expected) in [
            ("plain ~ \"q\" 'q' \\x \\\\", "plain ~ \"q\" 'q' \\x \\\\"),
            ("$A-${A}", "a/b.tar.gz-a/b.tar.gz"),
            ("\\$A", "$A"),
            ("$MISSING.", "."),
            ("$", "$"),
            ("a$ b$1", "a$ b$1"),
            ("${MISSING:-d$N}", "d4"),
            ("${E:-d}-${E-d}-${A:-d}", "d--a/b.tar.gz"),
            ("${A:+x}${E:+x}${E+x}", "xx"),
            (
                "${A%.*}|${A%%.*}|${A#*.}|${A##*.}|${A#x}",
                "a/b.tar|a/b|tar.gz|gz|a/b.tar.gz",
            ),
            ("${#A}", "10"),
            ("$((1+1))-$(( N * (2 + 3) - 1 ))-$((-7 / 2))", "2-19--3"),
        ] {
            assert_eq!(with(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_expanded() {
        for (text, expected) in [
            ("$(date)", "unexpected command substitution at 1:1"),
            ("a-`date`", "unexpected command substitution at 1:3"),
            ("${A", "unsupported parameter expansion at 1:1"),
            ("${A:-x", "reached the end of the text without closing }"),
            ("${}", "invalid parameter name at 1:1"),
            ("${A:?gone}${B:?gone}", "B: gone"),
            ("$((1/0))", "unsupported arithmetic expression at 1:1"),
            ("x$((1+))", "unsupported arithmetic expression at 1:2"),
        ] {
            assert_eq!(with(text).unwrap_err(), expected, "{text}");
        }
    }
}
