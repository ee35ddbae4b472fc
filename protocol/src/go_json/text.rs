//! Making a body readable: what is no text becomes U+FFFD, as in Go.

use std::borrow::Cow;

const REPLACEMENT: &str = "\\ufffd";

/// `body` as text that a strict JSON parser accepts wherever Go's lenient one does.
pub(super) fn readable(body: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(body) {
        Cow::Borrowed(text) => without_lone_surrogates(text),
        Cow::Owned(text) => Cow::Owned(without_lone_surrogates(&text).into_owned()),
    }
}

/// Replaces escapes such as `\ud800` that have no partner.
fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return Cow::Borrowed(text);
    }
    let mut repaired = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        repaired.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => {
                repaired.push_str(&rest[..12]);
                12
            }
            (Some(0xD800..=0xDFFF), _) => {
                repaired.push_str(REPLACEMENT);
                6
            }
            // Any other escape: the backslash and the character behind it, which may be a backslash.
            _ => {
                let taken = rest.chars().take(2).map(char::len_utf8).sum();
                repaired.push_str(&rest[..taken]);
                taken
            }
        };
        rest = &rest[taken..];
    }
    repaired.push_str(rest);
    Cow::Owned(repaired)
}

/// The UTF-16 unit of a `\uXXXX` at the start of `text`.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::readable;

    /// Pairs stay, lone halves and bytes that are no UTF-8 are replaced.
    #[test]
    fn lone_surrogates_are_replaced() {
        let cases: [(&[u8], &str); 7] = [
            (br#""plain""#, r#""plain""#),
            (br#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (br#""\ud83dx""#, r#""\ufffdx""#),
            (br#""\uDE00\ud83d""#, r#""\ufffd\ufffd""#),
            (br#""\\ud83d\ud83d""#, r#""\\ud83d\ufffd""#),
            (br#""\ud83"#, r#""\ud83"#),
            (b"\"\xff\"", "\"\u{fffd}\""),
        ];
        for (body, text) in cases {
            assert_eq!(readable(body), text);
        }
    }
}
