//! Faults of a scenario: the rules of the server's own engine, with names and times as scenarios write
//! them.

use std::collections::BTreeMap;
use std::time::Duration;

use mock_gitlab::fault::{Endpoint, FaultRule, Reset, SlowBody};
use serde::Deserialize;

use super::time::Time;

/// A fault: which requests, and what goes wrong with them. [`FaultRule`] says more about each member.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultFormat {
    /// Which requests; absent = all.
    pub on: Option<Endpoint>,
    /// Only those of this runner, by name.
    pub runner: Option<String>,
    /// Only those of this job.
    pub job: Option<i64>,
    /// The first request that gets it, counted from 1 since the beginning; with `runner`, since the step.
    pub nth: Option<u64>,
    /// How many requests get it; 0 = without end. Absent: one, or without end beside `for` or
    /// `probability`.
    pub times: Option<u64>,
    /// How long, from the step on.
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    /// Chance of each of these requests; drawn from the scenario's seed.
    pub probability: Option<f64>,
    /// The server waits before it begins.
    pub latency: Option<Time>,
    /// The connection is reset: `before_body`, `in_body`, `after_body` or `after_action`. In virtual
    /// time, which has no connections, the request fails with an error of the transport.
    pub reset: Option<Reset>,
    /// The server restarts, and every connection is reset for so long.
    pub restart: Option<Time>,
    /// Status of the answer, which the server does not make itself; 0 = the connection ends without
    /// one when the request was read.
    pub status: Option<u16>,
    /// Headers of the answer.
    pub headers: BTreeMap<String, String>,
    /// Body of the answer, with `status`.
    pub body: String,
    /// `Content-Type` of the answer.
    pub content_type: Option<String>,
    /// The `Date` of the answer is wrong by so many seconds.
    pub date_skew: Option<i64>,
    /// The connection ends after so many bytes of the answer's body.
    pub truncate: Option<u64>,
    /// The body of the answer comes slowly.
    pub slow: Option<SlowFormat>,
}

/// How slowly.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowFormat {
    /// So many bytes at a time.
    pub bytes: u64,
    /// Pause before each.
    pub every: Time,
}

impl FaultFormat {
    /// The rule, for an engine that counts from now on. `seen` requests have come since the beginning;
    /// `None` = all requests that it is for have gone by. `runner` is the id of the named one.
    pub fn rule(&self, seen: u64, runner: Option<i64>) -> Option<FaultRule> {
        let end = |first: u64, times: u64| first.saturating_add(times);
        let (mut nth, mut times) = (self.nth, self.times);
        if runner.is_none()
            && self.probability.is_none()
            && let Some(first) = self.nth
        {
            // With `for` there is no end to count to.
            let most = times
                .or(self.lasts.is_none().then_some(1))
                .filter(|times| *times > 0);
            nth = Some(first.saturating_sub(seen).max(1));
            if let Some(most) = most {
                let left = end(first, most).checked_sub(seen.max(first - 1) + 1)?;
                times = Some(left).filter(|left| *left > 0);
                times?;
            }
        }
        let cut = self.status == Some(0);
        let (status, reset) = if cut {
            (None, Some(Reset::AfterBody))
        } else {
            (self.status, self.reset)
        };
        Some(FaultRule {
            on: self.on,
            runner,
            job: self.job,
            nth,
            times,
            for_ms: self.lasts.map(milliseconds),
            probability: self.probability,
            latency_ms: self.latency.map(milliseconds),
            reset,
            restart_ms: self.restart.map(milliseconds),
            status,
            headers: self.headers.clone(),
            body: self.body.clone(),
            content_type: self.content_type.clone(),
            date_skew_s: self.date_skew,
            truncate: self.truncate,
            slow: self.slow.as_ref().map(|slow| SlowBody {
                bytes: slow.bytes,
                every_ms: milliseconds(slow.every),
            }),
        })
    }

    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<String> {
        if self.status == Some(0) && self.reset.is_some() {
            return Some("`status: 0` and `reset` are the same: give one of them".to_owned());
        }
        let checked = self.rule(0, None).map(|rule| rule.check());
        checked?.err().map(|error| error.to_string())
    }

    /// In a few words, for events.
    pub fn words(&self) -> String {
        let what = [
            self.status.map(|status| status.to_string()),
            self.reset.map(|_| "reset".to_owned()),
            self.restart.map(|time| format!("restart for {time}")),
            self.latency.map(|time| format!("latency {time}")),
            self.truncate
                .map(|bytes| format!("cut after {bytes} bytes")),
            self.slow.as_ref().map(|_| "slow body".to_owned()),
            self.date_skew
                .map(|seconds| format!("date off by {seconds}s")),
            self.content_type.clone(),
        ];
        let what: Vec<String> = what.into_iter().flatten().collect();
        let on = self.on.map_or("everything", Endpoint::as_str);
        format!("fault {} on {on}", what.join(", "))
    }
}

fn milliseconds(time: Time) -> u64 {
    u64::try_from(Duration::as_millis(&time.0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(nth: Option<u64>, times: Option<u64>) -> FaultFormat {
        FaultFormat {
            on: Some(Endpoint::Poll),
            nth,
            times,
            status: Some(500),
            ..FaultFormat::default()
        }
    }

    /// Which requests of the whole run get it, when the rule is made after some have come.
    #[test]
    fn counted_from_the_beginning() {
        for (nth, times, seen, expected) in [
            (Some(2), None, 0, Some((Some(2), Some(1)))),
            (Some(2), None, 1, Some((Some(1), Some(1)))),
            (Some(2), None, 2, None),
            (Some(2), Some(3), 2, Some((Some(1), Some(2)))),
            (Some(2), Some(3), 4, None),
            (Some(1), Some(100_000), 7, Some((Some(1), Some(99_993)))),
            (Some(4), Some(0), 9, Some((Some(1), Some(0)))),
            (None, None, 9, Some((None, None))),
            (None, Some(3), 9, Some((None, Some(3)))),
        ] {
            let rule = fault(nth, times).rule(seen, None);
            let seen_rule = rule.map(|rule| (rule.nth, rule.times));
            assert_eq!(seen_rule, expected, "{nth:?} {times:?} {seen}");
        }
    }
}
