//! Quoting of words for sh and bash (runner.md 10.1).

use std::fmt::Write as _;

/// How words are quoted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quoting {
    /// `$'…'`, which bash, zsh and busybox know but dash does not.
    #[default]
    Ansi,
    /// Double quotes, which every POSIX shell knows (`FF_POSIXLY_CORRECT_ESCAPES`).
    Posix,
}

impl Quoting {
    /// `text` as one word of the shell: bare if nothing in it needs quotes.
    pub fn word(self, text: &str) -> String {
        if text.is_empty() {
            return "''".to_owned();
        }
        if text.bytes().all(is_plain) {
            return text.to_owned();
        }
        match self {
            Quoting::Ansi => ansi(text),
            Quoting::Posix => literal_in_double_quotes(text),
        }
    }
}

/// Characters that no shell treats specially.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b',' | b'.' | b'/' | b'@' | b'_' | b'-')
}

/// `$'…'`: printable ASCII as it is, everything else as an escape, so that the script is pure ASCII.
fn ansi(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    out.push_str("$'");
    for byte in text.bytes() {
        match byte {
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0b => out.push_str("\\v"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            b'\'' => out.push_str("\\'"),
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7e => out.push(char::from(byte)),
            other => {
                let _ = write!(out, "\\x{other:02x}");
            }
        }
    }
    out.push('\'');
    out
}

/// Double quotes in which nothing is expanded.
fn literal_in_double_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$' | '`') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}

/// Double quotes around a path of ours, in which `$NAME` is still expanded by the shell: such a path may
/// name a variable of the job's environment.
pub(crate) fn expanding(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '`') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds the quoting table of RUN-SH in runner.md 10.1; the expected texts are in the recordings
    /// `debug-trace` and `exits`.
    #[test]
    fn words() {
        let cases = [
            ("", "''"),
            ("group/demo", "group/demo"),
            ("a,b.c@d_e-f", "a,b.c@d_e-f"),
            ("kill -9 ", "$'kill -9 '"),
            ("http://x/y", "$'http://x/y'"),
            ("\x1b[32;1m$ x\x1b[0;m", "$'\\x1b[32;1m$ x\\x1b[0;m'"),
            ("it's", "$'it\\'s'"),
            ("a\\b", "$'a\\\\b'"),
            ("l1\nl2\t\r", "$'l1\\nl2\\t\\r'"),
            ("ż", "$'\\xc5\\xbc'"),
            ("\x07\x08\x0b\x0c\x7f", "$'\\a\\b\\v\\f\\x7f'"),
        ];
        for (text, quoted) in cases {
            assert_eq!(Quoting::Ansi.word(text), quoted, "{text:?}");
        }
        assert_eq!(
            Quoting::Posix.word("a $b `c` \"d\" \\"),
            "\"a \\$b \\`c\\` \\\"d\\\" \\\\\""
        );
        assert_eq!(Quoting::Posix.word("plain"), "plain");
    }
}
