//! Compares what was seen with what was expected.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::events::{Event, log, pattern};
use crate::scenario::expect_format::{ExpectFormat, JobExpectFormat, TextExpectFormat};
use crate::scenario::format::ClockKind;

/// How late an event may come in real time, unless the scenario says otherwise.
const LATE_REAL: Duration = Duration::from_secs(1);
/// Ticks of tokio's clock are 1 ms, so times in virtual time are exact to that.
const LATE_VIRTUAL: Duration = Duration::from_millis(1);
/// An event may come this much before its time: timers are set before requests are written down.
const EARLY: Duration = Duration::from_millis(20);

/// What a run leaves for the verdict.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The event log.
    pub events: Vec<Event>,
    /// Jobs as the server has them.
    pub jobs: BTreeMap<i64, JobOutcome>,
    /// Exit codes of runners.
    pub exits: BTreeMap<String, i32>,
    /// What runners wrote to their terminals.
    pub terminal: BTreeMap<String, String>,
    /// What the scenario still waited for when its time was over; `None` = it came to its end.
    pub overdue: Option<String>,
}

/// A job as the server has it.
#[derive(Clone, Debug, Default)]
pub struct JobOutcome {
    /// State.
    pub status: String,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Exit code that the runner sent.
    pub exit_code: Option<i32>,
    /// Its log.
    pub trace: Vec<u8>,
    /// Checksum and size that the runner sent.
    pub reported: Option<(String, u64)>,
}

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which expectation: `expect.picks`.
    pub what: String,
    /// Expected.
    pub expected: Vec<String>,
    /// Seen.
    pub seen: Vec<String>,
}

/// All that is not as expected.
pub fn judge(expect: &ExpectFormat, clock: ClockKind, outcome: &Outcome) -> Vec<Mismatch> {
    let mut judge = Judge {
        clock,
        lines: outcome.events.iter().map(ToString::to_string).collect(),
        outcome,
        mismatches: Vec::new(),
    };
    judge.picks(expect);
    judge.events(expect);
    judge.counts(expect);
    judge.times(expect);
    for (id, job) in &expect.jobs {
        judge.job(*id, job);
    }
    for (id, text) in &expect.traces {
        judge.trace(*id, text);
    }
    for (name, code) in &expect.exits {
        let seen = outcome.exits.get(name);
        if seen != Some(code) {
            let seen = seen.map_or_else(
                || "it did not end".to_owned(),
                |code| format!("exit code {code}"),
            );
            judge.miss(
                &format!("exits.{name}"),
                [format!("exit code {code}")],
                [seen],
            );
        }
    }
    if clock == ClockKind::Real {
        for (name, text) in &expect.terminal {
            let seen = outcome.terminal.get(name).map_or("", String::as_str);
            judge.text(&format!("terminal.{name}"), text, seen);
        }
    }
    judge.mismatches
}

struct Judge<'a> {
    clock: ClockKind,
    lines: Vec<String>,
    outcome: &'a Outcome,
    mismatches: Vec<Mismatch>,
}

impl Judge<'_> {
    fn miss(
        &mut self,
        what: &str,
        expected: impl IntoIterator<Item = String>,
        seen: impl IntoIterator<Item = String>,
    ) {
        self.mismatches.push(Mismatch {
            what: format!("expect.{what}"),
            expected: expected.into_iter().collect(),
            seen: seen.into_iter().collect(),
        });
    }

    fn picks(&mut self, expect: &ExpectFormat) {
        let Some(expected) = &expect.picks else {
            return;
        };
        let seen = log::picks(&self.outcome.events);
        if seen != *expected {
            let text = |ids: &[i64]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
            self.miss("picks", text(expected), text(&seen));
        }
    }

    /// The patterns in order, each from where the one before it was found.
    fn events(&mut self, expect: &ExpectFormat) {
        let mut from = 0;
        for (index, expected) in expect.events.iter().enumerate() {
            let found = self.lines[from..]
                .iter()
                .position(|line| pattern::fits(expected, line));
            if let Some(at) = found {
                from += at + 1;
            } else {
                let seen = self.numbered(from);
                self.miss(
                    &format!("events[{index}]"),
                    [format!("{expected}   (behind the event before it)")],
                    seen,
                );
                return;
            }
        }
        for expected in &expect.never {
            let found = self.matching(expected);
            if !found.is_empty() {
                self.miss("never", [format!("no event `{expected}`")], found);
            }
        }
    }

    /// Events from one on, with times, for messages.
    fn numbered(&self, from: usize) -> Vec<String> {
        const MOST: usize = 20;
        let mut lines: Vec<String> = self.outcome.events[from..]
            .iter()
            .zip(&self.lines[from..])
            .take(MOST)
            .map(|(event, line)| format!("{:>9.3}s {line}", event.at.as_secs_f64()))
            .collect();
        let more = self.lines.len().saturating_sub(from + MOST);
        if more > 0 {
            lines.push(format!("… and {more} more"));
        }
        if lines.is_empty() {
            lines.push("(no further event)".to_owned());
        }
        lines
    }

    fn matching(&self, text: &str) -> Vec<String> {
        self.outcome
            .events
            .iter()
            .zip(&self.lines)
            .filter(|(_, line)| pattern::fits(text, line))
            .map(|(event, line)| format!("{:>9.3}s {line}", event.at.as_secs_f64()))
            .collect()
    }

    fn counts(&mut self, expect: &ExpectFormat) {
        for (text, count) in &expect.count {
            let seen = self.matching(text);
            let wrong = count.is.is_some_and(|is| seen.len() != is)
                || count.at_least.is_some_and(|least| seen.len() < least)
                || count.at_most.is_some_and(|most| seen.len() > most);
            if wrong {
                let words = [
                    count.is.map(|is| format!("{is}")),
                    count.at_least.map(|least| format!("at least {least}")),
                    count.at_most.map(|most| format!("at most {most}")),
                ];
                let words: Vec<String> = words.into_iter().flatten().collect();
                let mut lines = vec![format!("{} of them", seen.len())];
                lines.extend(seen.into_iter().take(10));
                self.miss(
                    "count",
                    [format!("{} events `{text}`", words.join(" and "))],
                    lines,
                );
            }
        }
    }

    fn times(&mut self, expect: &ExpectFormat) {
        let late = match (self.clock, expect.within) {
            (ClockKind::Virtual, _) => LATE_VIRTUAL,
            (ClockKind::Real, Some(within)) => within.0,
            (ClockKind::Real, None) => LATE_REAL,
        };
        let early = match self.clock {
            ClockKind::Virtual => LATE_VIRTUAL,
            ClockKind::Real => EARLY,
        };
        for (text, expected) in &expect.times {
            let seen: Vec<Duration> = self
                .outcome
                .events
                .iter()
                .zip(&self.lines)
                .filter(|(_, line)| pattern::fits(text, line))
                .map(|(event, _)| event.at)
                .take(expected.len())
                .collect();
            // In real time a process needs a while to start, and every event, the first too, is seen
            // late by what the machine was busy with, but never early: the least late is the origin.
            let origin = match self.clock {
                ClockKind::Virtual => Duration::ZERO,
                ClockKind::Real => seen
                    .iter()
                    .zip(expected)
                    .map(|(seen, expected)| seen.saturating_sub(expected.0))
                    .min()
                    .unwrap_or_default(),
            };
            let fits = seen.len() == expected.len()
                && seen.iter().zip(expected).all(|(seen, expected)| {
                    let seen = seen.saturating_sub(origin);
                    seen + early >= expected.0 && seen <= expected.0 + late
                });
            if !fits {
                let expected = expected
                    .iter()
                    .map(|time| format!("{:.3}s", time.0.as_secs_f64()));
                let seen = seen
                    .iter()
                    .map(|time| format!("{:.3}s", time.saturating_sub(origin).as_secs_f64()));
                let (expected, seen): (Vec<_>, Vec<_>) = (expected.collect(), seen.collect());
                self.miss(&format!("times `{text}`"), expected, seen);
            }
        }
    }

    fn job(&mut self, id: i64, expect: &JobExpectFormat) {
        let Some(job) = self.outcome.jobs.get(&id) else {
            self.miss(
                &format!("jobs.{id}"),
                ["a job".to_owned()],
                ["there is none".to_owned()],
            );
            return;
        };
        let reason = job
            .failure_reason
            .clone()
            .unwrap_or_else(|| "none".to_owned());
        let code = job.exit_code.map(|code| code.to_string());
        for (member, expected, seen) in [
            ("status", expect.status.clone(), job.status.clone()),
            ("failure_reason", expect.failure_reason.clone(), reason),
            (
                "exit_code",
                expect.exit_code.map(|code| code.to_string()),
                code.unwrap_or_else(|| "none".to_owned()),
            ),
        ] {
            if let Some(expected) = expected
                && expected != seen
            {
                self.miss(&format!("jobs.{id}.{member}"), [expected], [seen]);
            }
        }
    }

    fn trace(&mut self, id: i64, expect: &TextExpectFormat) {
        let Some(job) = self.outcome.jobs.get(&id) else {
            self.miss(
                &format!("traces.{id}"),
                ["a job".to_owned()],
                ["there is none".to_owned()],
            );
            return;
        };
        let text = String::from_utf8_lossy(&job.trace).into_owned();
        self.text(&format!("traces.{id}"), expect, &text);
        if expect.checksum_fits {
            let stored = (
                protocol::trace::checksum_of(&job.trace),
                job.trace.len() as u64,
            );
            if job.reported.as_ref() != Some(&stored) {
                let words = |(sum, size): &(String, u64)| format!("{sum}, {size} bytes");
                self.miss(
                    &format!("traces.{id}.checksum_fits"),
                    [words(&stored)],
                    [job.reported
                        .as_ref()
                        .map_or_else(|| "nothing was sent".to_owned(), words)],
                );
            }
        }
    }

    fn text(&mut self, what: &str, expect: &TextExpectFormat, seen: &str) {
        let lines = || {
            seen.lines()
                .map(crate::session::difference::visible)
                .collect::<Vec<_>>()
        };
        let mut rest = seen;
        for text in &expect.has {
            if let Some(at) = rest.find(text.as_str()) {
                rest = &rest[at + text.len()..];
            } else {
                self.miss(
                    &format!("{what}.has"),
                    [format!("the text `{text}`")],
                    lines(),
                );
                return;
            }
        }
        for text in &expect.lacks {
            if seen.contains(text.as_str()) {
                self.miss(
                    &format!("{what}.lacks"),
                    [format!("not the text `{text}`")],
                    lines(),
                );
            }
        }
        if let Some(end) = &expect.ends
            && !seen.trim_end().ends_with(end.as_str())
        {
            let last = lines().into_iter().next_back().unwrap_or_default();
            self.miss(&format!("{what}.ends"), [end.clone()], [last]);
        }
    }
}
