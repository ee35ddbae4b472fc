//! What is volatile about the session server and its web terminals; the table in [`super::normalise`]
//! has the reasons.

use serde_json::Value;

use super::normalise::{replace_between, replace_digits_after};

/// Hex digits of a session's id, and of its token.
const DIGITS: usize = 64;

/// A line of a job's log, or of the terminal.
pub(super) fn line(line: &str) -> String {
    let mut line = secrets(line);
    // As Python prints them: the beginning, and the length.
    for (marker, end, by) in [
        ("'url': ('https://", ")", "…"),
        (
            "'certificate': ('-----BEGIN CERTIFICATE-----\\nMII",
            ")",
            "…",
        ),
        ("'authorization': ('", "'", "<secret>"),
        ("Date: ", "GMT", "<time> "),
        ("notBefore=", "GMT", "<time> "),
        ("notAfter=", "GMT", "<time> "),
    ] {
        line = replace_between(&line, marker, end, by);
    }
    let line = replace_digits_after(&line, "copying from 127.0.0.1:", " ", "<port>");
    line.replace("Sec-Websocket-", "Sec-WebSocket-")
}

/// The session of a poll.
pub(super) fn json(body: &mut Value) {
    let Some(session) = body.get_mut("session").and_then(Value::as_object_mut) else {
        return;
    };
    for (name, member) in session {
        let Some(text) = member.as_str() else {
            continue;
        };
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let end = "\n-----END CERTIFICATE-----\n";
        let is_certificate = text.starts_with(begin) && text.ends_with(end);
        *member = if name == "certificate" && is_certificate {
            "<certificate>".into()
        } else {
            secrets(text).into()
        };
    }
}

/// Runs of exactly 64 lower-case hex digits.
fn secrets(text: &str) -> String {
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_hex) {
        let (before, run) = rest.split_at(start);
        let end = run.find(|c| !is_hex(c)).unwrap_or(run.len());
        let (run, after) = run.split_at(end);
        out.push_str(before);
        out.push_str(if run.len() == DIGITS { "<secret>" } else { run });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_volatile_in_a_line() {
        let id = "0123456789abcdef".repeat(4);
        for (text, expected) in [
            (format!("GET /session/{id}/exec {id}0"), format!("GET /session/<secret>/exec {id}0")),
            (
                r"{'certificate': ('-----BEGIN CERTIFICATE-----\nMIIDETCCAfmg', 1123), 'authorization': ('411d', 64)}".to_owned(),
                r"{'certificate': ('-----BEGIN CERTIFICATE-----\nMII…), 'authorization': ('<secret>', 64)}".to_owned(),
            ),
            ("Date: Wed, 25 Nov 2026 03:40:22 GMT".to_owned(), "Date: <time> GMT".to_owned()),
            ("notAfter=Nov 25 03:40:22 2028 GMT".to_owned(), "notAfter=<time> GMT".to_owned()),
            ("copying from 127.0.0.1:52524 to shell".to_owned(), "copying from 127.0.0.1:<port> to shell".to_owned()),
        ] {
            assert_eq!(line(&text), expected);
        }
    }

    #[test]
    fn what_is_volatile_in_a_session() {
        let id = "f".repeat(64);
        let certificate = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";
        let mut body = json!({"session": {
            "url": format!("https://h:1/session/{id}"), "certificate": certificate, "authorization": id,
        }});
        json(&mut body);
        assert_eq!(
            body,
            json!({"session": {
                "url": "https://h:1/session/<secret>", "certificate": "<certificate>",
                "authorization": "<secret>",
            }})
        );
        let mut odd = json!({"session": {"certificate": "none", "authorization": "short"}});
        let same = odd.clone();
        json(&mut odd);
        assert_eq!(odd, same);
    }
}
