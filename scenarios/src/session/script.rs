//! What the server answers, by position and by the state of each job.
//!
//! A recording cannot be replayed by looking a request up in a table: a poll is the same request a
//! thousand times, each with its own answer. So the exchanges are sorted into [`Stream`]s that keep
//! their order, and the stand-in walks along each of them. Between streams no order is demanded,
//! because it was an accident of the recording: six jobs that run at once end in any order.
//!
//! A log is cut into patches by a timer, so the nth patch of a replay need not be the nth of the
//! recording. The stand-in stores logs itself, and answers a patch by its range; only answers that the
//! range does not explain (a 403, a 416 out of the blue, another `Job-Status`) come from the script.

use std::collections::BTreeMap;

use protocol::header;
use serde_json::Value;

use super::git::is_git;
use super::har::Exchange;
use super::normalise;

/// One line of talk, whose order matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Polls of one runner token.
    Poll(String),
    /// Log patches of one job.
    Patch(i64),
    /// Updates of one job with the state `running`.
    Running(i64),
    /// Updates of one job with another state: the final one and its repetitions.
    Final(i64),
    /// Git.
    Git,
    /// Everything else, by method and path.
    Other(String, String),
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stream::Poll(token) => write!(f, "poll with token {}", protocol::token::short(token)),
            Stream::Patch(job) => write!(f, "log patch of job {job}"),
            Stream::Running(job) => write!(f, "`running` update of job {job}"),
            Stream::Final(job) => write!(f, "final update of job {job}"),
            Stream::Git => write!(f, "git request"),
            Stream::Other(method, path) => write!(f, "{method} {path}"),
        }
    }
}

/// Which stream a request belongs to. `header` looks a header up by its lower-case name.
pub fn stream_of(
    method: &str,
    target: &str,
    header: &dyn Fn(&str) -> Option<String>,
    body: &[u8],
) -> Stream {
    let path = target.split('?').next().unwrap_or(target);
    if is_git(path) {
        return Stream::Git;
    }
    let api = path.strip_prefix(protocol::path::API_V4).unwrap_or(path);
    if method == "POST" && path.ends_with(protocol::path::JOBS_REQUEST) {
        let token = header(header::RUNNER_TOKEN).unwrap_or_default();
        return Stream::Poll(token);
    }
    if let Some(rest) = api.strip_prefix("jobs/") {
        let (id, tail) = rest.split_once('/').unwrap_or((rest, ""));
        if let Ok(id) = id.parse() {
            match (method, tail) {
                ("PATCH", "trace") => return Stream::Patch(id),
                ("PUT", "") if state(body).as_deref() == Some("running") => {
                    return Stream::Running(id);
                }
                ("PUT", "") => return Stream::Final(id),
                _ => {}
            }
        }
    }
    Stream::Other(method.to_owned(), path.to_owned())
}

fn state(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get("state")?.as_str().map(str::to_owned)
}

impl Stream {
    /// The stream of a recorded exchange.
    pub fn of(exchange: &Exchange) -> Stream {
        let header = |name: &str| exchange.header(name).map(str::to_owned);
        stream_of(&exchange.method, &exchange.target, &header, &exchange.body)
    }
}

/// How a recorded patch was answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PatchRule {
    /// As its range deserves: 202 if it starts where the log ends, else 416.
    ByRange,
    /// The body is stored, and yet the answer is a 416 that names the new end.
    Kept,
    /// With the recorded status, whatever the range. `ahead` is how far the recorded `Range` lies
    /// ahead of what was stored, in bytes; `None` = there was no `Range`, or it named 0.
    Forced {
        /// See above.
        ahead: Option<i64>,
    },
}

/// What a recorded patch stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// How it was answered.
    pub rule: PatchRule,
    /// The last command that the log shows in it, if any. Before that, its answer is not due: this machine
    /// may be slower, and what ends a job must not come before it is there.
    pub mark: Option<String>,
}

/// The streams of a recording, in the order of their first exchange.
#[derive(Clone, Debug)]
pub struct Script {
    /// Exchanges of each stream, in order.
    pub streams: BTreeMap<Stream, Vec<Exchange>>,
    /// For each job, its recorded patches.
    pub patches: BTreeMap<i64, Vec<Patch>>,
    /// Streams that redirected log patches go to, and the job whose log it is.
    pub redirected: BTreeMap<Stream, i64>,
}

impl Script {
    /// Sorts the exchanges of a recording.
    pub fn new(exchanges: &[Exchange]) -> Script {
        let mut script = Script {
            streams: BTreeMap::new(),
            patches: BTreeMap::new(),
            redirected: BTreeMap::new(),
        };
        let mut stored = BTreeMap::new();
        for exchange in exchanges {
            let stream = Stream::of(exchange);
            if let Stream::Patch(job) = stream {
                let patch = Patch {
                    rule: patch_rule(exchange, stored.entry(job).or_default()),
                    mark: normalise::last_command(&exchange.body),
                };
                script.patches.entry(job).or_default().push(patch);
                script
                    .redirected
                    .extend(moved_to(exchange).map(|to| (to, job)));
            } else if let Some(job) = script.redirected.get(&stream) {
                let stored = stored.entry(*job).or_default();
                if exchange.status == 202 && starts_at(exchange, *stored) {
                    *stored += exchange.body.len() as u64;
                }
            }
            script
                .streams
                .entry(stream)
                .or_default()
                .push(exchange.clone());
        }
        script
    }
}

/// Where a redirect sends the same request again.
fn moved_to(exchange: &Exchange) -> Option<Stream> {
    if !matches!(exchange.status, 307 | 308) {
        return None;
    }
    let to: http::Uri = exchange.answer_header("location")?.parse().ok()?;
    Some(Stream::Other(exchange.method.clone(), to.path().to_owned()))
}

fn starts_at(exchange: &Exchange, stored: u64) -> bool {
    range_start(exchange.header(header::CONTENT_RANGE)) == Some(stored)
}

/// Start of `Content-Range: first-last`.
pub fn range_start(value: Option<&str>) -> Option<u64> {
    value?.split_once('-')?.0.parse().ok()
}

fn range_end(value: Option<&str>) -> Option<u64> {
    value?.split_once('-')?.1.parse().ok()
}

/// `stored` is how many bytes the server has, before and after.
fn patch_rule(exchange: &Exchange, stored: &mut u64) -> PatchRule {
    let fits = starts_at(exchange, *stored);
    let named = range_end(exchange.answer_header(header::RANGE));
    let natural = match exchange.status {
        202 => fits,
        416 => !fits && named == Some(*stored),
        _ => false,
    };
    if natural {
        if exchange.status == 202 {
            *stored += exchange.body.len() as u64;
        }
        return PatchRule::ByRange;
    }
    let end = *stored + exchange.body.len() as u64;
    if exchange.status == 416 && fits && named == Some(end) {
        *stored = end;
        return PatchRule::Kept;
    }
    PatchRule::Forced {
        ahead: named
            .filter(|named| *named > 0)
            .map(|named| named as i64 - *stored as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn patch(range: &str, length: usize, status: u16, answer: &str) -> Exchange {
        Exchange {
            at_s: 0.0,
            method: "PATCH".to_owned(),
            target: "/api/v4/jobs/7/trace?debug_trace=false".to_owned(),
            host: String::new(),
            headers: vec![("Content-Range".to_owned(), range.to_owned())],
            body: Bytes::from(vec![b'x'; length]),
            status,
            answer_headers: vec![("Range".to_owned(), answer.to_owned())],
            answer: Bytes::new(),
            answer_type: String::new(),
            took_ms: 0.0,
        }
    }

    fn rules(script: &Script) -> Vec<PatchRule> {
        let rules = script.patches[&7].iter();
        rules.map(|patch| patch.rule).collect()
    }

    /// The patches of the recording `trace-416`: the second 416 follows from the range, the first does
    /// not.
    #[test]
    fn what_the_range_explains_is_not_forced() {
        let script = Script::new(&[
            patch("0-1929", 1930, 202, "0-1930"),
            patch("1930-2046", 117, 416, "0-0"),
            patch("0-2530", 2531, 416, "0-1930"),
            patch("1930-2530", 601, 202, "0-2531"),
            patch("2531-2532", 2, 416, "0-2600"),
        ]);
        assert_eq!(
            rules(&script),
            [
                PatchRule::ByRange,
                PatchRule::Forced { ahead: None },
                PatchRule::ByRange,
                PatchRule::ByRange,
                PatchRule::Forced { ahead: Some(69) },
            ]
        );
    }

    /// The first patch of the recording `redir-job`: what was stored elsewhere counts.
    #[test]
    fn a_redirected_patch_is_of_the_same_log() {
        let mut moved = patch("0-9", 10, 307, "");
        moved.answer_headers = vec![("Location".to_owned(), "http://localhost/m/patch".to_owned())];
        let mut there = patch("0-9", 10, 202, "0-10");
        there.target = "/m/patch".to_owned();
        let script = Script::new(&[moved, there, patch("10-11", 2, 202, "0-12")]);
        let target = Stream::Other("PATCH".to_owned(), "/m/patch".to_owned());
        assert_eq!(script.redirected, BTreeMap::from([(target, 7)]));
        assert_eq!(
            rules(&script),
            [PatchRule::Forced { ahead: None }, PatchRule::ByRange]
        );
    }

    #[test]
    fn requests_find_their_stream() {
        let none = |_: &str| None;
        let of = |method, target, body: &str| stream_of(method, target, &none, body.as_bytes());
        assert_eq!(
            of("PUT", "/api/v4/jobs/3", r#"{"state":"running"}"#),
            Stream::Running(3)
        );
        assert_eq!(
            of("PUT", "/api/v4/jobs/3", r#"{"state":"failed"}"#),
            Stream::Final(3)
        );
        assert_eq!(
            of("PATCH", "/api/v4/jobs/3/trace?debug_trace=true", ""),
            Stream::Patch(3)
        );
        assert_eq!(of("GET", "/a/b.git/info/refs?service=x", ""), Stream::Git);
        assert_eq!(
            of("POST", "/api/v4/jobs/request", ""),
            Stream::Poll(String::new())
        );
        assert_eq!(
            of("POST", "/api/v4/jobs/3/artifacts?x=1", ""),
            Stream::Other("POST".to_owned(), "/api/v4/jobs/3/artifacts".to_owned())
        );
    }
}
