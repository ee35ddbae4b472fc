//! Says where a replay differs from its recording, the first difference of each kind in its context.

use std::collections::BTreeSet;

use serde_json::Value;

use super::difference::{Difference, lines, visible};
use super::har::Exchange;
use super::normalise;
use super::place::Place;
use super::plan::Plan;
use super::recording::Recording;
use super::replay::Replayed;
use super::script::{Script, Stream};
use super::stand_in::Seen;
use super::upload;

/// All differences, most telling first: exits, logs, requests, configuration.
pub fn compare(recording: &Recording, plan: &Plan, replayed: &Replayed) -> Vec<Difference> {
    let mut differences = Vec::new();
    ends(recording, replayed, &mut differences);
    logs(recording, plan, replayed, &mut differences);
    requests(recording, replayed, &mut differences);
    sums(recording, replayed, &mut differences);
    terminals(recording, replayed, &mut differences);
    configurations(recording, replayed, &mut differences);
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
        out.push(
            Difference::value(
                format!("command `gitlab-runner {}`", command.args.join(" ")),
                format!("exit code {}", command.exit),
                actual,
            )
            .within(last_lines(terminal, 5)),
        );
    }
}

fn last_lines(text: &str, count: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|line| visible(line))
        .collect()
}

fn logs(recording: &Recording, plan: &Plan, replayed: &Replayed, out: &mut Vec<Difference>) {
    let text = |bytes: &[u8], place: &Place| {
        normalise::without_runs(&normalise::trace(bytes, place), &plan.runs)
    };
    for (job, recorded) in &recording.traces {
        // A log that the recording stand-in took without keeping it says nothing.
        if recorded.is_empty() && recording.fitted.get(job) == Some(&None) {
            continue;
        }
        let expected = text(recorded, &Place::recorded());
        let actual = replayed
            .traces
            .get(job)
            .map_or_else(String::new, |bytes| text(bytes, &replayed.place));
        out.extend(lines(&format!("log of job {job}"), &expected, &actual));
    }
    for job in replayed.traces.keys() {
        if !recording.traces.contains_key(job)
            && !replayed.traces[job].is_empty()
            && !recording.fitted.contains_key(job)
        {
            out.push(Difference::value(
                format!("log of job {job}"),
                "no log in the recording",
                format!("{} bytes", replayed.traces[job].len()),
            ));
        }
    }
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
            out.push(Difference::value(
                format!("{}", seen.stream),
                "no such request in the recording",
                format!("{} {}", seen.exchange.method, seen.exchange.target),
            ));
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
        let first = seen.iter().take(3);
        let first = first.map(|seen| format!("{} {}", seen.exchange.method, seen.exchange.target));
        out.push(
            Difference::value(
                format!("{stream}"),
                format!("{} requests", recorded.len()),
                format!("{} requests", seen.len()),
            )
            .within(first.collect()),
        );
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
        request(&name, &recorded, &seen, place, out);
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

fn request(
    name: &str,
    recorded: &Exchange,
    seen: &Exchange,
    place: &Place,
    out: &mut Vec<Difference>,
) {
    let line = |exchange: &Exchange| format!("{} {}", exchange.method, exchange.target);
    let mut differs = |expected: String, actual: String| {
        out.push(Difference::value(name, expected, actual).within(vec![line(recorded)]));
    };
    if line(recorded) != line(seen) {
        differs(line(recorded), line(seen));
        return;
    }
    let (expected, actual) = (headers(recorded, &Place::recorded()), headers(seen, place));
    for header in &expected {
        if !actual.contains(header) {
            let found = actual
                .iter()
                .find(|(name, _)| *name == header.0)
                .map_or_else(|| format!("no header `{}`", header.0), pair);
            differs(pair(header), found);
        }
    }
    for header in &actual {
        if !expected.iter().any(|(name, _)| *name == header.0) {
            differs(format!("no header `{}`", header.0), pair(header));
        }
    }
    body(name, recorded, seen, place, out);
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

fn body(
    name: &str,
    recorded: &Exchange,
    seen: &Exchange,
    place: &Place,
    out: &mut Vec<Difference>,
) {
    let parse = |exchange: &Exchange| serde_json::from_slice::<Value>(&exchange.body).ok();
    let uploaded = |exchange: &Exchange, place: &Place| {
        let kind = exchange.header("content-type").unwrap_or_default();
        upload::read(kind, &exchange.body, place)
    };
    let (expected, actual) = if let Some(expected) = uploaded(recorded, &Place::recorded()) {
        // A body that the recording left out says nothing.
        if recorded.body.is_empty() {
            return;
        }
        (expected, uploaded(seen, place).unwrap_or_default())
    } else {
        // Log patches are compared as assembled logs.
        let Some(expected) = parse(recorded) else {
            return;
        };
        let expected = normalise::json(expected, &Place::recorded());
        let Some(actual) = parse(seen) else {
            let place = format!("{name}, body");
            out.push(Difference::value(place, expected.to_string(), "no JSON"));
            return;
        };
        (expected, normalise::json(actual, place))
    };
    let line = format!("{} {}", recorded.method, recorded.target);
    members("", &expected, &actual, &mut |path, expected, actual| {
        let place = format!("{name}, body member `{path}`");
        out.push(Difference::value(place, expected, actual).within(vec![line.clone()]));
    });
}

/// Tells all members in which two JSON values differ.
fn members(
    path: &str,
    expected: &Value,
    actual: &Value,
    differ: &mut dyn FnMut(&str, String, String),
) {
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
                    Some(found) => members(&join(name), member, found, differ),
                    None => differ(&join(name), member.to_string(), "absent".to_owned()),
                }
            }
            for (name, member) in other.iter().filter(|(name, _)| !one.contains_key(*name)) {
                differ(&join(name), "absent".to_owned(), member.to_string());
            }
        }
        _ if expected == actual => {}
        _ => differ(path, expected.to_string(), actual.to_string()),
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
            let text = |sum: (String, String)| format!("checksum {} and {} bytes", sum.0, sum.1);
            out.push(Difference::value(
                format!("final update of job {job}"),
                format!("{}, as the log has", text(expected)),
                text(actual),
            ));
        }
    }
}

/// What is said at level debug is each runner's own affair, as are the words of help texts.
fn is_own_affair(terminal: &str) -> bool {
    terminal.contains("Feeding runners to channel") || terminal.contains("USAGE:")
}

/// The different lines of a runner's own log; none where they are its own affair.
pub(super) fn said(terminal: &str, place: &Place) -> BTreeSet<String> {
    if is_own_affair(terminal) {
        return BTreeSet::new();
    }
    let lines = terminal.lines();
    lines
        .filter_map(|line| normalise::terminal_line(line, place))
        .collect()
}

/// The runner's own log: each line of one side must be somewhere on the other. How often, and in which
/// order, depends on timers and on what runs at once.
fn terminals(recording: &Recording, replayed: &Replayed, out: &mut Vec<Difference>) {
    for (index, command) in recording.commands.iter().enumerate() {
        let expected = recording.terminal.get(index).map_or("", String::as_str);
        if is_own_affair(expected) {
            continue;
        }
        let expected = said(expected, &Place::recorded());
        let actual = replayed.terminal.get(index).map_or("", String::as_str);
        let actual = said(actual, &replayed.place);
        // A poll may be under way when the signal comes, and a slower machine sends more patches.
        let cut = |line: &String| {
            line.contains("Checking for jobs... failed") && line.contains("context canceled")
                || replayed.slow && line.contains("Appending trace to coordinator...ok")
        };
        let difference = Difference {
            place: format!("terminal of `gitlab-runner {}`", command.args.join(" ")),
            gone: expected
                .difference(&actual)
                .filter(|line| !cut(line))
                .map(|line| visible(line))
                .collect(),
            new: actual
                .difference(&expected)
                .filter(|line| !cut(line))
                .map(|line| visible(line))
                .collect(),
            context: Vec::new(),
        };
        if !difference.gone.is_empty() || !difference.new.is_empty() {
            out.push(difference);
        }
    }
}

/// `config.toml`, and other configurations that the recording keeps.
fn configurations(recording: &Recording, replayed: &Replayed, out: &mut Vec<Difference>) {
    let mut compare = |name: &str, expected: &str, actual: Option<&String>| {
        let expected = normalise::config(&replayed.place.transpose(expected));
        let actual = normalise::config(actual.map_or("", String::as_str));
        out.extend(lines(
            &format!("{name} after the session"),
            &expected,
            &actual,
        ));
    };
    if let Some(expected) = &recording.config_after {
        compare("config.toml", expected, replayed.config_after.as_ref());
    }
    for (name, expected) in &recording.files {
        compare(name, expected, replayed.files.get(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_that_differ_are_named() {
        let one = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        let other = json!({"a": {"b": 1, "c": [1, 3]}, "x": true});
        let mut found = Vec::new();
        members("", &one, &other, &mut |path, expected, actual| {
            found.push(format!("{path}: {expected}, {actual}"));
        });
        assert_eq!(
            found,
            ["a.c: [1,2], [1,3]", "d: 1, absent", "x: absent, true"]
        );
    }
}
