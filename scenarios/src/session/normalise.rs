//! What is volatile between two runs of one session, in one place, with the reason.
//!
//! | what | becomes | why |
//! |---|---|---|
//! | time stamp of a log line, `2026-11-25T01:49:03.868591Z` | `<time>` | the clock |
//! | time in a section marker, `section_start:1795571343:` | `section_start:<time>:` | the clock |
//! | 32 hex digits (correlation ids, `X-Request-Id`) | `<id>` | random per call |
//! | folder of the session | `/srv` | the recording's folder; a replay runs in a temporary one |
//! | address of the server | `gitlab.example.com` | a replay listens on a loopback port |
//! | ports that a plan names | the recorded one | a replay takes free ones |
//! | `Running on <host>...`, host name | `Running on <host>...` | the machine |
//! | version and revision of the runner in its banner | `gitlab-runner <version>` | ours names itself `gauntlet` |
//! | branch and language in `User-Agent` | `gitlab-runner 19.4.0 (<build>; linux/amd64)` | ditto |
//! | `info.version`, `info.revision`, `info.platform`, `info.architecture` | left out | ditto |
//! | `checksum`, `output.checksum`, `output.bytesize` | left out | they follow from the log; the replay checks them against the bytes it got |
//! | `Content-Length`, `Content-Range`, `Host`, `Connection` | left out | they follow from the body and the address; ranges are checked when a patch arrives |
//! | `Accept: */*` | left out | the HTTP library adds it to calls without `Accept`; HTTP gives both one meaning |
//! | `pid=`, `duration_s=` and ports on the terminal | `<pid>`, `<duration>`, `<port>` | the machine |
//! | `token_obtained_at` of `config.toml` | `<time>`, with or without a fraction | the clock |
//! | process id, revision, host and waits in records of helper commands in a log | `<…>` | as in the runner's own log |
//! | numbers of a transfer meter | `<progress>` | sizes of archives and speed |
//! | `User-Agent: Go-http-client/1.1` | left out | the runner set none; Go's library names itself |
//! | `bash: line 7: 16162 Killed` | `bash: line 7: <pid> Killed` | process ids |
//! | stdout and stderr between two lines of the manager | stdout first | which pipe is read first |
//! | the empty line after `Checking out …`, `git lfs pull` | left out | git-lfs was installed for some recordings |
//! | `git credential reject` as a debug trace shows it | left out | both ends of a pipe write what they do at once |
//! | `Terminated` on stderr | left out | whether bash or its child dies first |
//! | `CI_RUNNER_REVISION=…` | `<revision>` | ours names itself `gauntlet` |
//! | a word of a script that is the host, in quotes | without them | here the host has a port |
//! | output before the notice of a log's limit | `<cut at the limit>` | names of this place have other lengths |
//! | a long line that goes on in a `+` line | one line | how much is read at once |
//! | head lines of HTTP answers in a log | sorted, names in lower case, `date: <date>` | order and case say nothing |
//! | `ls -l` | without links, size and date | the file system, and lengths of names of this place |
//! | base64 of a certificate | `<certificate>` | made on the spot |
//! | id, token and certificate of a session, the ports of its clients | `<secret>`, `<certificate>`, `<port>` | random |
//! | `Date: …`, `notBefore=…`, `notAfter=…` | `<time>` | the clock |
//! | `Sec-Websocket-…` in a job's log | `Sec-WebSocket-…` | hyper writes names of headers so |
//! | temporary names such as `/tmp/script123` | `/tmp/<name>` | random |

use serde_json::Value;

use super::helper;
use super::place::{Place, RECORDED_HOST};
use super::{printed, web_terminal};

/// The log of a job without what is volatile.
pub fn trace(bytes: &[u8], place: &Place) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = place.restore(&limited(&text));
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        out.push_str(&trace_line(line, place));
    }
    by_stream(&printed::plain(&printed::without_accidents(&out)))
}

/// Where a log was cut by its limit depends on the length of names of this place, so the output of the
/// last stage before the cut goes; that the cut is at the limit is checked here.
fn limited(text: &str) -> String {
    const NOTICE: &str = "\n\x1b[33;1mJob's log exceeded limit of ";
    let Some(at) = text.find(NOTICE) else {
        return text.to_owned();
    };
    let notice = &text[at + NOTICE.len()..];
    let limit: usize = notice
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    // A character of several bytes is not cut in two.
    let cut = if at <= limit && at + 4 > limit {
        "<cut at the limit>".to_owned()
    } else {
        format!("<cut at {at}>")
    };
    let manager = text[..at].rfind(" 00O").map_or(0, |manager| {
        text[manager..at]
            .find('\n')
            .map_or(at, |end| manager + end + 1)
    });
    format!("{}{cut}{}", &text[..manager], &text[at..])
}

/// Lines in a row whose text starts with one of `runs` become one: how many there are is decided by when
/// something else happens, which the plan of the recording says.
pub fn without_runs(text: &str, runs: &[String]) -> String {
    let mut last = None;
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let plain = line
            .strip_prefix("<time> ")
            .and_then(|rest| rest.get(4..))
            .unwrap_or(line);
        let run = runs.iter().position(|run| plain.starts_with(run.as_str()));
        if run.is_none() || run != last {
            match run {
                Some(index) => out.extend(["<run of `", &runs[index], "`>\n"]),
                None => out.push_str(line),
            }
        }
        last = run;
    }
    out
}

/// Between two lines of the manager, puts the lines of stdout before those of stderr: how they
/// interleave depends on which pipe is read first. Each keeps its own order.
fn by_stream(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut errors = String::new();
    let mut in_errors = false;
    for line in text.split_inclusive('\n') {
        let stream = line.strip_prefix("<time> ").and_then(|rest| rest.get(..3));
        match stream {
            // A line that was cut because it is long goes on in the next one, without its end of line.
            Some(stream @ ("01O" | "01E")) if line.get(10..11) == Some("+") => {
                let target = if stream == "01E" {
                    &mut errors
                } else {
                    &mut out
                };
                let last = target
                    .trim_end_matches('\n')
                    .rfind('\n')
                    .map_or(0, |at| at + 1);
                let head = format!("<time> {stream}");
                if target[last..].starts_with(&head) && !target[last..].contains('\r') {
                    target.truncate(target.trim_end_matches('\n').len());
                    target.push_str(&line[11..]);
                    continue;
                }
                in_errors = stream == "01E";
            }
            Some("01E") => in_errors = true,
            Some(_) => in_errors = false,
            // The rest of a line that was cut within a sequence, or a log without time stamps.
            None => {}
        }
        if in_errors {
            errors.push_str(line);
            continue;
        }
        if stream == Some("00O") {
            out.push_str(&std::mem::take(&mut errors));
        }
        out.push_str(line);
    }
    out.push_str(&errors);
    out
}

/// `config.toml` without the times at which tokens were got.
pub fn config(text: &str) -> String {
    const KEY: &str = "token_obtained_at = ";
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.split_once(KEY) {
            Some((indent, stamp)) if !stamp.starts_with("0001-") => {
                // Whole seconds or not is a rule.
                let kind = if stamp.contains('.') {
                    "<time>.<fraction>"
                } else {
                    "<time>"
                };
                out.extend([indent, KEY, kind, "\n"]);
            }
            _ => out.push_str(line),
        }
    }
    out
}

/// The last command of a job in a piece of a recorded log, as the log shows it before it runs.
pub fn last_command(piece: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(piece);
    let recorded = Place::recorded();
    text.split_inclusive('\n').rev().find_map(|line| {
        let normal = trace_line(line.strip_suffix('\n')?, &recorded);
        let plain = normal
            .strip_prefix("<time> ")
            .and_then(|rest| rest.get(4..))
            .unwrap_or(&normal);
        // One that shows what differs from run to run would not be found.
        let stable = plain.starts_with("\x1b[32;1m$ ") && line.contains(plain);
        stable.then(|| plain.to_owned())
    })
}

fn trace_line(line: &str, place: &Place) -> String {
    let line = stamps(line);
    let line = web_terminal::line(&ids(&line));
    let line = helper::record(line, place);
    let line = section_times(&line);
    let line = replace_between(
        &line,
        "Running with gitlab-runner ",
        "\x1b[0;m",
        "<version>",
    );
    let line = replace_between(&line, "with gitlab-runner 19.4.0 (", ")", "<revision>");
    let line = replace_between(&line, "CI_RUNNER_REVISION=", "\n", "<revision>");
    let line = job_pid(&line);
    // Here the host has a port, and a word with a colon is quoted.
    let line = line
        .replace("$'\\''gitlab.example.com'\\''", RECORDED_HOST)
        .replace("$'gitlab.example.com'", RECORDED_HOST);
    let running_on = format!("Running on {}...", place.machine);
    let line = line.replace(&running_on, "Running on <host>...");
    // The same with `CI_DEBUG_TRACE`.
    let running_on = format!("Running on {}...'", place.machine);
    line.replace(&running_on, "Running on <host>...'")
}

/// `bash: line 7: 16162 Killed …`: the process id.
fn job_pid(line: &str) -> String {
    let Some(at) = line.find("bash: line ") else {
        return line.to_owned();
    };
    let Some((number, rest)) = line[at + 11..].split_once(": ") else {
        return line.to_owned();
    };
    let pid = rest.trim_start();
    let digits = pid.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || !pid[digits..].starts_with(' ') {
        return line.to_owned();
    }
    format!(
        "{}bash: line {number}: <pid>{}",
        &line[..at],
        &pid[digits..]
    )
}

/// Length of `2026-11-25T01:49:03.868591Z`.
const STAMP_LENGTH: usize = 27;

/// Time stamps with six decimals, wherever they stand.
fn stamps(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('T') {
        let start = at.wrapping_sub(10);
        if let Some(stamp) = rest.get(start..start.wrapping_add(STAMP_LENGTH))
            && is_stamp(stamp)
        {
            out.push_str(&rest[..start]);
            out.push_str("<time>");
            rest = &rest[start + STAMP_LENGTH..];
        } else {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
        }
    }
    out.push_str(rest);
    out
}

fn is_stamp(text: &str) -> bool {
    text.bytes().enumerate().all(|(index, byte)| match index {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        19 => byte == b'.',
        26 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    })
}

/// Runs of exactly 32 lower-case hex digits.
fn ids(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut run = String::new();
    let flush = |run: &mut String, out: &mut String| {
        out.push_str(if run.len() == 32 { "<id>" } else { run });
        run.clear();
    };
    for c in line.chars() {
        if c.is_ascii_digit() || ('a'..='f').contains(&c) {
            run.push(c);
        } else {
            flush(&mut run, &mut out);
            out.push(c);
        }
    }
    flush(&mut run, &mut out);
    out
}

fn section_times(line: &str) -> String {
    let mut out = line.to_owned();
    for marker in ["section_start:", "section_end:"] {
        out = replace_digits_after(&out, marker, ":", "<time>");
    }
    out
}

/// Replaces the digits between `marker` and `end`.
pub(super) fn replace_digits_after(line: &str, marker: &str, end: &str, by: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(marker) {
        let (head, tail) = rest.split_at(at + marker.len());
        out.push_str(head);
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && tail[digits..].starts_with(end) {
            out.push_str(by);
            rest = &tail[digits..];
        } else {
            rest = tail;
        }
    }
    out.push_str(rest);
    out
}

/// Replaces what stands between `marker` and the next `end`.
pub(super) fn replace_between(line: &str, marker: &str, end: &str, by: &str) -> String {
    let Some(at) = line.find(marker) else {
        return line.to_owned();
    };
    let start = at + marker.len();
    let Some(length) = line[start..].find(end) else {
        return line.to_owned();
    };
    format!("{}{by}{}", &line[..start], &line[start + length..])
}

/// Fields of the runner's own log that are volatile, and what they are replaced by.
const VOLATILE_FIELDS: [&str; 15] = [
    "clientAddr",
    "duration",
    "pid",
    "builds",
    "duration_s",
    "bytesize",
    "checksum",
    "job-log",
    "sent-log",
    "correlation_id",
    "revision",
    "version",
    "time",
    "retry-after",
    "retryAfter",
];

/// Lines of the recorded runner about executors that its build happens to have.
const OF_THE_BUILD: [&str; 9] = [
    "docker+machine",
    "level=debug",
    "\"level\":\"debug\"",
    // A referee that `run-single` tries.
    "referee\x1b[0;m=metrics",
    // Of another program.
    "Built:",
    "GO version:",
    "Git branch:",
    "Git revision:",
    // Some recordings end before this one is written.
    "Can exit now!",
];

/// A line of the runner's own log without what is volatile; `None` = the line does not matter.
pub fn terminal_line(line: &str, place: &Place) -> Option<String> {
    if OF_THE_BUILD.iter().any(|mark| line.contains(mark)) {
        return None;
    }
    let mut line = web_terminal::line(&stamps(&ids(&place.restore(line))));
    // The log of a job that failed may stand in a message.
    line = replace_between(
        &line,
        "Running with gitlab-runner ",
        "\x1b[0;m",
        "<version>",
    );
    line = line.replace(
        &format!("Running on {}...", place.machine),
        "Running on <host>...",
    );
    for field in VOLATILE_FIELDS {
        for (marker, ends) in [
            (format!("{field}="), &[' ', '\n'][..]),
            (format!("{field}\x1b[0;m="), &[' ', '\n']),
            (format!("\"{field}\":"), &[',', '}']),
        ] {
            line = without_value(&line, &marker, ends);
        }
    }
    // The process's id stands on its line here, not behind it.
    if let Some(at) = line.find("\x1b[0;33mPID\x1b[0;m=") {
        let length = line[at..]
            .find(' ')
            .map_or(line.len() - at, |space| space + 1);
        line.replace_range(at..at + length, "");
    }
    // Every HTTP library has its own words for a connection that breaks.
    for verb in ["Post", "Put", "Patch", "Get", "Delete"] {
        let marker = format!(": {verb} \"http");
        if let Some(at) = line.find(&marker)
            && let Some(end) = line[at + marker.len()..].find("\": ")
            && !line.contains("context canceled")
        {
            line.truncate(at + marker.len() + end + 3);
            line.push_str("<error>");
        }
    }
    // `2026/11/25 11:27:37 Updated …`.
    let is_date = |text: &str| {
        let bytes = text.as_bytes();
        bytes.len() == 20 && bytes[4] == b'/' && bytes[13] == b':' && bytes[0].is_ascii_digit()
    };
    if line.get(..20).is_some_and(is_date) {
        line.replace_range(..20, "<time> ");
    }
    // Messages are padded to a width, which depends on the length of names of this place.
    let mut out = String::with_capacity(line.len());
    for c in line.trim_end().chars() {
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    Some(out.replace(" \x1b[0;m", "\x1b[0;m"))
}

/// Replaces what stands between `marker`, at the start of a word, and the next of `ends`.
pub(super) fn without_value(line: &str, marker: &str, ends: &[char]) -> String {
    let Some(at) = line.match_indices(marker).map(|(at, _)| at).find(|at| {
        let before = line[..*at].chars().next_back();
        before.is_none_or(|c| matches!(c, ' ' | 'm' | ',' | '{'))
    }) else {
        return line.to_owned();
    };
    let (head, tail) = line.split_at(at + marker.len());
    // A quoted value may hold an end.
    let skip = tail
        .strip_prefix('"')
        .and_then(|rest| rest.find('"'))
        .map_or(0, |end| end + 2);
    let end = tail[skip..].find(ends).map_or(tail.len(), |end| skip + end);
    format!("{head}<…>{}", &tail[end..])
}

/// Members of `info` that tell one build from another.
const BUILD_MEMBERS: [&str; 4] = ["version", "revision", "platform", "architecture"];

/// A JSON body without what is volatile.
pub fn json(mut body: Value, place: &Place) -> Value {
    if let Some(info) = body.get_mut("info").and_then(Value::as_object_mut) {
        for member in BUILD_MEMBERS {
            info.remove(member);
        }
    }
    if let Some(members) = body.as_object_mut() {
        members.remove("checksum");
    }
    if let Some(output) = body.get_mut("output").and_then(Value::as_object_mut) {
        output.remove("checksum");
        output.remove("bytesize");
    }
    web_terminal::json(&mut body);
    strings(&mut body, &|text| place.restore(text));
    body
}

fn strings(value: &mut Value, change: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| strings(item, change)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| strings(member, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Headers that are compared, by lower-case name, sorted; `None` = the header does not matter.
pub fn header(name: &str, value: &str, place: &Place) -> Option<(String, String)> {
    let name = name.to_ascii_lowercase();
    let value = match name.as_str() {
        "content-length" | "content-range" | "host" | "connection" | "transfer-encoding" => {
            return None;
        }
        "x-request-id" => ids(value),
        // What Go's library says where the runner says nothing.
        "user-agent" if value.starts_with("Go-http-client/") => return None,
        "user-agent" => build(value),
        "content-type" => replace_boundary(value),
        // reqwest adds it where nothing is asked for; it says the same as no header.
        "accept" if value == "*/*" => return None,
        _ => place.restore(value),
    };
    Some((name, value))
}

fn replace_boundary(value: &str) -> String {
    match value.split_once("boundary=") {
        Some((head, _)) => format!("{head}boundary=<boundary>"),
        None => value.to_owned(),
    }
}

/// `gitlab-runner 19.4.0 (main; go1.26.8; linux/amd64)`: branch and language are the build's.
fn build(value: &str) -> String {
    let Some((head, tail)) = value.split_once(" (") else {
        return value.to_owned();
    };
    let machine = tail.rsplit("; ").next().unwrap_or(tail);
    format!("{head} (<build>; {machine}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn place() -> Place {
        Place {
            root: "/tmp/x1".to_owned(),
            host: "127.0.0.1:4711".to_owned(),
            machine: "box".to_owned(),
            ..Place::recorded()
        }
    }

    #[test]
    fn what_is_volatile_in_a_log() {
        let ours = b"2026-11-25T01:49:03.868591Z 00O section_start:17955:get_sources\r\x1b[0K\n\
            2026-11-25T01:49:03.868591Z 01O id cd5ec1fe9fd94203aaca610dd6d408f7 in /tmp/x1/builds\n\
            2026-11-25T01:49:03.868591Z 01O Running on box...\n\
            2026-11-25T01:49:03.868591Z 00O \x1b[0KRunning with gitlab-runner 19.4.0 (x)\x1b[0;m\n\
            http://127.0.0.1:4711/a\n";
        assert_eq!(
            trace(ours, &place()),
            "<time> 00O section_start:<time>:get_sources\r\x1b[0K\n<time> 01O id <id> in /srv/builds\n\
             <time> 01O Running on <host>...\n\
             <time> 00O \x1b[0KRunning with gitlab-runner <version>\x1b[0;m\nhttp://gitlab.example.com/a\n"
        );
    }

    #[test]
    fn the_last_command_of_a_piece() {
        let piece = b"2026-11-25T01:49:03.868591Z 01O \x1b[32;1m$ a\x1b[0;m\n\
            2026-11-25T01:49:03.868591Z 01O \x1b[32;1m$ sleep 1\x1b[0;m\n\
            2026-11-25T01:49:03.868591Z 01O line 1\n2026-11-25T01:49:03.868591Z 01O \x1b[32;1m$ cut";
        assert_eq!(
            last_command(piece).as_deref(),
            Some("\x1b[32;1m$ sleep 1\x1b[0;m")
        );
        assert_eq!(last_command(b"a\nb\n"), None);
    }

    #[test]
    fn a_run_of_lines_is_one() {
        let text = "<time> 01O tick 1\n<time> 01O tick 2\n<time> 01E end\n<time> 01O tick 1\nx\n";
        assert_eq!(
            without_runs(text, &["tick ".to_owned()]),
            "<run of `tick `>\n<time> 01E end\n<run of `tick `>\nx\n"
        );
    }

    #[test]
    fn what_is_volatile_in_a_request() {
        let body = json!({"info": {"version": "1", "name": "n"}, "checksum": "c", "output": {"bytesize": 1},
            "token": "t"});
        assert_eq!(
            json(body, &place()),
            json!({"info": {"name": "n"}, "output": {}, "token": "t"})
        );
        let agent = "gitlab-runner 19.4.0 (main; go1.26.8; linux/amd64)";
        assert_eq!(
            header("User-Agent", agent, &place()),
            Some((
                "user-agent".to_owned(),
                "gitlab-runner 19.4.0 (<build>; linux/amd64)".to_owned()
            ))
        );
        assert_eq!(header("Host", "x", &place()), None);
    }
}
