//! Says where a replay differs from its recording, the first difference of each kind in its context.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::har::Exchange;
use super::normalise::{self, Place};
use super::recording::Recording;
use super::replay::Replayed;
use super::script::{Script, Stream};
use super::stand_in::Seen;

/// Lines of context around a difference in a log.
const CONTEXT_LINES: usize = 2;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where: `log of job 1001, line 12`.
    pub place: String,
    /// What the recording has.
    pub expected: String,
    /// What the replay has.
    pub actual: String,
    /// Lines before and after, or the request it belongs to; may be empty.
    pub context: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.place)?;
        for line in &self.context {
            writeln!(f, "    {line}")?;
        }
        writeln!(f, "  - expected: {}", self.expected)?;
        write!(f, "  + actual:   {}", self.actual)
    }
}

/// All differences, most telling first: exits, logs, requests, configuration.
pub fn compare(recording: &Recording, replayed: &Replayed) -> Vec<Difference> {
    let mut differences = Vec::new();
    ends(recording, replayed, &mut differences);
    logs(recording, replayed, &mut differences);
    requests(recording, replayed, &mut differences);
    sums(recording, replayed, &mut differences);
    terminals(recording, replayed, &mut differences);
    configuration(recording, replayed, &mut differences);
    differences
}

fn ends(recording: &Recording, replayed: &Replayed, out: &mut Vec<Difference>) {
    for (index, command) in recording.commands.iter().enumerate() {
        let actual = match replayed.exits.get(index) {
            Some(Some(code)) if *code == command.exit => continue,
            Some(Some(code)) => format!("exit code {code}"),
            Some(None) if replayed.overdue.is_empty() => "ended by a signal".to_owned(),
            Some(None) => format!(
                "did not end in time, still waited for {}",
                replayed.overdue.join(", ")
            ),
            None => "was not started".to_owned(),
        };
        let terminal = replayed.terminal.get(index).map_or("", String::as_str);
        out.push(Difference {
            place: format!("command `gitlab-runner {}`", command.args.join(" ")),
            expected: format!("exit code {}", command.exit),
            actual,
            context: last_lines(terminal, 5),
        });
    }
}

fn last_lines(text: &str, count: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|line| visible(line))
        .collect()
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

fn logs(recording: &Recording, replayed: &Replayed, out: &mut Vec<Difference>) {
    for (job, recorded) in &recording.traces {
        // A log that the recording stand-in took without keeping it says nothing.
        if recorded.is_empty() && recording.fitted.get(job) == Some(&None) {
            continue;
        }
        let expected = normalise::trace(recorded, &Place::recorded());
        let actual = replayed.traces.get(job).map_or_else(String::new, |bytes| {
            normalise::trace(bytes, &replayed.place)
        });
        out.extend(lines(&format!("log of job {job}"), &expected, &actual));
    }
    for job in replayed.traces.keys() {
        if !recording.traces.contains_key(job)
            && !replayed.traces[job].is_empty()
            && !recording.fitted.contains_key(job)
        {
            out.push(Difference {
                place: format!("log of job {job}"),
                expected: "no log in the recording".to_owned(),
                actual: format!("{} bytes", replayed.traces[job].len()),
                context: Vec::new(),
            });
        }
    }
}

/// The first line in which two texts differ.
pub fn lines(what: &str, expected: &str, actual: &str) -> Option<Difference> {
    if expected == actual {
        return None;
    }
    let split = |text: &str| -> Vec<String> { text.split_inclusive('\n').map(visible).collect() };
    let (expected, actual) = (split(expected), split(actual));
    let at = expected
        .iter()
        .zip(&actual)
        .take_while(|(one, other)| one == other)
        .count();
    let line = |text: &[String]| {
        text.get(at)
            .cloned()
            .unwrap_or_else(|| format!("(ends after {at} lines)"))
    };
    Some(Difference {
        place: format!("{what}, line {}", at + 1),
        expected: line(&expected),
        actual: line(&actual),
        context: expected[at.saturating_sub(CONTEXT_LINES).min(at)..at].to_vec(),
    })
}

fn requests(recording: &Recording, replayed: &Replayed, out: &mut Vec<Difference>) {
    let script = Script::new(&recording.exchanges);
    for (stream, recorded) in &script.streams {
        let seen: Vec<&Seen> = replayed
            .seen
            .iter()
            .filter(|seen| seen.stream == *stream)
            .collect();
        stream_requests(stream, recorded, &seen, &replayed.place, out);
    }
    for seen in &replayed.seen {
        if !script.streams.contains_key(&seen.stream) {
            out.push(Difference {
                place: format!("{}", seen.stream),
                expected: "no such request in the recording".to_owned(),
                actual: format!("{} {}", seen.exchange.method, seen.exchange.target),
                context: Vec::new(),
            });
            return;
        }
    }
}

/// How many requests of a stream must come, and whether more may.
fn bounds(stream: &Stream, recorded: &[Exchange]) -> (usize, usize) {
    match stream {
        // Cut by timers, or by git as it likes.
        Stream::Patch(_) | Stream::Running(_) | Stream::Git => (1, usize::MAX),
        // Polls without a job go on until the session ends.
        Stream::Poll(_) => {
            let needed = recorded
                .iter()
                .rposition(|exchange| exchange.status != 204)
                .map_or(0, |at| at + 1);
            (needed, usize::MAX)
        }
        Stream::Final(_) | Stream::Other(..) => (recorded.len(), recorded.len()),
    }
}

fn stream_requests(
    stream: &Stream,
    recorded: &[Exchange],
    seen: &[&Seen],
    place: &Place,
    out: &mut Vec<Difference>,
) {
    let (least, most) = bounds(stream, recorded);
    if seen.len() < least || seen.len() > most {
        out.push(Difference {
            place: format!("{stream}"),
            expected: format!("{} requests", recorded.len()),
            actual: format!("{} requests", seen.len()),
            context: seen
                .iter()
                .take(3)
                .map(|seen| format!("{} {}", seen.exchange.method, seen.exchange.target))
                .collect(),
        });
        return;
    }
    if *stream == Stream::Git {
        return;
    }
    for (index, seen) in seen.iter().enumerate() {
        let beyond = index >= recorded.len();
        let Some(recorded) = recorded.get(index).or(recorded.last()) else {
            return;
        };
        let name = format!("{stream}, request {}", index + 1);
        let mut recorded = std::borrow::Cow::Borrowed(recorded);
        let mut seen = std::borrow::Cow::Borrowed(&seen.exchange);
        if beyond {
            // What such a poll tells of the last one follows from answers that the recording lacks.
            for exchange in [&mut recorded, &mut seen] {
                without_member(exchange, "last_update");
            }
        }
        if let Some(difference) = request(&name, &recorded, &seen, place) {
            out.push(difference);
            return;
        }
    }
}

/// Drops a member of a JSON body.
fn without_member(exchange: &mut std::borrow::Cow<'_, Exchange>, member: &str) {
    if let Ok(Value::Object(mut body)) = serde_json::from_slice::<Value>(&exchange.body)
        && body.remove(member).is_some()
    {
        exchange.to_mut().body = Value::Object(body).to_string().into();
    }
}

fn request(name: &str, recorded: &Exchange, seen: &Exchange, place: &Place) -> Option<Difference> {
    let line = |exchange: &Exchange| format!("{} {}", exchange.method, exchange.target);
    let (expected, actual) = (line(recorded), line(seen));
    let differs = |expected: String, actual: String| Difference {
        place: name.to_owned(),
        expected,
        actual,
        context: vec![line(recorded)],
    };
    if expected != actual {
        return Some(differs(expected, actual));
    }
    let (expected, actual) = (headers(recorded, &Place::recorded()), headers(seen, place));
    for header in &expected {
        if !actual.contains(header) {
            let found = actual
                .iter()
                .find(|(name, _)| *name == header.0)
                .map_or_else(|| format!("no header `{}`", header.0), pair);
            return Some(differs(pair(header), found));
        }
    }
    for header in &actual {
        if !expected.contains(header) {
            return Some(differs(format!("no header `{}`", header.0), pair(header)));
        }
    }
    body(name, recorded, seen, place)
}

fn pair((name, value): &(String, String)) -> String {
    format!("{name}: {value}")
}

fn headers(exchange: &Exchange, place: &Place) -> Vec<(String, String)> {
    let mut headers: Vec<_> = exchange
        .headers
        .iter()
        .filter_map(|(name, value)| normalise::header(name, value, place))
        .collect();
    headers.sort();
    headers
}

fn body(name: &str, recorded: &Exchange, seen: &Exchange, place: &Place) -> Option<Difference> {
    let parse = |exchange: &Exchange| serde_json::from_slice::<Value>(&exchange.body).ok();
    // Log patches are compared as assembled logs; other bodies that are not JSON are artifacts, whose
    // bytes hold times.
    let expected = normalise::json(parse(recorded)?, &Place::recorded());
    let Some(actual) = parse(seen) else {
        return Some(Difference {
            place: format!("{name}, body"),
            expected: expected.to_string(),
            actual: "no JSON".to_owned(),
            context: Vec::new(),
        });
    };
    let actual = normalise::json(actual, place);
    let (path, expected, actual) = value("", &expected, &actual)?;
    Some(Difference {
        place: format!("{name}, body member `{path}`"),
        expected,
        actual,
        context: vec![format!("{} {}", recorded.method, recorded.target)],
    })
}

/// The first member in which two JSON values differ.
fn value(path: &str, expected: &Value, actual: &Value) -> Option<(String, String, String)> {
    let join = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match (expected, actual) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, member) in one {
                match other.get(name) {
                    Some(found) => {
                        if let Some(difference) = value(&join(name), member, found) {
                            return Some(difference);
                        }
                    }
                    None => return Some((join(name), member.to_string(), "absent".to_owned())),
                }
            }
            other
                .iter()
                .find(|(name, _)| !one.contains_key(*name))
                .map(|(name, member)| (join(name), "absent".to_owned(), member.to_string()))
        }
        _ if expected == actual => None,
        _ => Some((path.to_owned(), expected.to_string(), actual.to_string())),
    }
}

/// Checksums and sizes are left out of the comparison because they follow from the log; so they must
/// fit it.
fn sums(recording: &Recording, replayed: &Replayed, out: &mut Vec<Difference>) {
    for seen in &replayed.seen {
        let Stream::Final(job) = seen.stream else {
            continue;
        };
        // After a refused patch the log at the server lacks bytes that the runner counts.
        if recording
            .fitted
            .get(&job)
            .is_some_and(|fitted| *fitted != Some(true))
        {
            continue;
        }
        let Some(update) = serde_json::from_slice::<Value>(&seen.exchange.body).ok() else {
            continue;
        };
        let Some(trace) = replayed.traces.get(&job) else {
            continue;
        };
        // A final update that the server refused, or with a log that it lost, need not fit.
        if seen.exchange.status != 200 {
            continue;
        }
        let expected = (protocol::trace::checksum_of(trace), trace.len().to_string());
        let actual = (
            update["output"]["checksum"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            update["output"]["bytesize"].to_string(),
        );
        if expected != actual {
            out.push(Difference {
                place: format!("final update of job {job}"),
                expected: format!(
                    "checksum {} and {} bytes, as the log has",
                    expected.0, expected.1
                ),
                actual: format!("checksum {} and {} bytes", actual.0, actual.1),
                context: Vec::new(),
            });
        }
    }
}

/// The runner's own log: each line of one side must be somewhere on the other. How often, and in which
/// order, depends on timers and on what runs at once.
fn terminals(recording: &Recording, replayed: &Replayed, out: &mut Vec<Difference>) {
    for (index, command) in recording.commands.iter().enumerate() {
        let set = |text: &str, place: &Place| -> BTreeSet<String> {
            text.lines()
                .filter_map(|line| normalise::terminal_line(line, place))
                .collect()
        };
        let expected = recording.terminal.get(index).map_or("", String::as_str);
        // What is said at level debug is each runner's own affair, as are the words of help texts.
        if expected.contains("Feeding runners to channel") || expected.contains("USAGE:") {
            continue;
        }
        let expected = set(expected, &Place::recorded());
        let actual = replayed.terminal.get(index).map_or("", String::as_str);
        let actual = set(actual, &replayed.place);
        let show = |lines: Vec<&String>| match lines.first() {
            None => "no further lines".to_owned(),
            Some(first) => format!("{} ({} such lines)", visible(first), lines.len()),
        };
        // A poll may be under way when the signal comes.
        let cut = |line: &String| {
            line.contains("Checking for jobs... failed") && line.contains("context canceled")
        };
        let missing: Vec<_> = expected.difference(&actual).collect();
        let more = actual.difference(&expected).filter(|line| !cut(line));
        let more: Vec<_> = more.collect();
        if missing.is_empty() && more.is_empty() {
            continue;
        }
        out.push(Difference {
            place: format!("terminal of `gitlab-runner {}`", command.args.join(" ")),
            context: missing
                .iter()
                .map(|line| format!("- {}", visible(line)))
                .chain(more.iter().map(|line| format!("+ {}", visible(line))))
                .collect(),
            expected: show(missing),
            actual: show(more),
        });
    }
}

fn configuration(recording: &Recording, replayed: &Replayed, out: &mut Vec<Difference>) {
    let Some(expected) = &recording.config_after else {
        return;
    };
    let expected = normalise::config(&replayed.place.transpose(expected));
    let actual = normalise::config(replayed.config_after.as_deref().unwrap_or_default());
    out.extend(lines("config.toml after the session", &expected, &actual));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_different_line_is_shown_in_context() {
        let difference = lines("log of job 1", "a\nb\nc\x1b[0K\n", "a\nb\nd\n").expect("differ");
        assert_eq!(
            difference.to_string(),
            "log of job 1, line 3\n    a\\n\n    b\\n\n  - expected: c\\e[0K\\n\n  + actual:   d\\n"
        );
        let difference = lines("log", "a\nb\n", "a\n").expect("differ");
        assert_eq!(difference.actual, "(ends after 1 lines)");
        assert_eq!(lines("log", "a\n", "a\n"), None);
    }

    #[test]
    fn the_first_different_member_is_named() {
        let one = json!({"a": {"b": 1, "c": [1, 2]}});
        let other = json!({"a": {"b": 1, "c": [1, 3]}});
        assert_eq!(
            value("", &one, &other),
            Some(("a.c".to_owned(), "[1,2]".to_owned(), "[1,3]".to_owned()))
        );
        assert_eq!(
            value("", &json!({}), &json!({"x": 1})),
            Some(("x".to_owned(), "absent".to_owned(), "1".to_owned()))
        );
    }
}
