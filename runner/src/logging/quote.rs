//! Values as Go quotes and prints them.

use std::fmt::Write as _;

/// A value in the format text: bare, or quoted as Go's `%q` does. An empty value stays empty.
pub(super) fn text_value(value: &str) -> String {
    let bare =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/' | '@' | '^' | '+');
    if value.chars().all(bare) {
        return value.to_owned();
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            c if c < ' ' || c == '\x7f' => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            // Spaces other than the ASCII one, and control characters, are not printable for Go.
            c if c.is_control() || (c != ' ' && c.is_whitespace()) || is_invisible(c) => {
                let _ = if u32::from(c) > 0xffff {
                    write!(quoted, "\\U{:08x}", u32::from(c))
                } else {
                    write!(quoted, "\\u{:04x}", u32::from(c))
                };
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Format characters that a log reader would not see.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A JSON string as Go's encoder writes it, `&`, `<` and `>` escaped.
pub(super) fn json_string(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c < ' ' || matches!(c, '&' | '<' | '>' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The shortest text that reads back as `number`; with an exponent below `10^least` or from `10^21` on.
pub(super) fn go_float(number: f64, least: i32) -> String {
    let magnitude = number.abs();
    let plain = number == 0.0
        || !number.is_finite()
        || (magnitude >= 10f64.powi(least) && magnitude < 1e21);
    if plain {
        return match number {
            n if n == f64::INFINITY => "+Inf".to_owned(),
            n if n == f64::NEG_INFINITY => "-Inf".to_owned(),
            n => n.to_string(),
        };
    }
    let text = format!("{number:e}");
    // Go writes at least two digits of exponent, with a sign.
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(rest) => ('-', rest),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}
