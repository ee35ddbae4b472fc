//! What must be seen. Everything is read from the event log and from the logs of the jobs.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::time::Time;

/// Expectations. All that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectFormat {
    /// Jobs in the order in which they were handed out: all of them, no others.
    pub picks: Option<Vec<i64>>,
    /// Patterns that events must fit, in this order; others may stand between.
    pub events: Vec<String>,
    /// Patterns that no event may fit.
    pub never: Vec<String>,
    /// How many events fit a pattern: a number, or `at_least` and `at_most`.
    pub count: BTreeMap<String, CountFormat>,
    /// Times, since the beginning, of the first events that fit a pattern. Exact in virtual time; in
    /// real time each may come late by [`ExpectFormat::within`].
    pub times: BTreeMap<String, Vec<Time>>,
    /// How late an event may come in real time.
    pub within: Option<Time>,
    /// Last state of jobs.
    pub jobs: BTreeMap<i64, JobExpectFormat>,
    /// Logs of jobs, as the server has them.
    pub traces: BTreeMap<i64, TextExpectFormat>,
    /// Exit codes of runners.
    pub exits: BTreeMap<String, i32>,
    /// What runners wrote to their terminals. Real time only.
    pub terminal: BTreeMap<String, TextExpectFormat>,
}

/// How many.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CountFormat {
    /// Exactly so many.
    pub is: Option<usize>,
    /// Not fewer.
    pub at_least: Option<usize>,
    /// Not more.
    pub at_most: Option<usize>,
}

/// The end of a job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobExpectFormat {
    /// State.
    pub status: Option<String>,
    /// Failure reason; `none` = there is none.
    pub failure_reason: Option<String>,
    /// Exit code that the runner sent.
    pub exit_code: Option<i32>,
}

/// A text.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextExpectFormat {
    /// Texts that it holds, in this order.
    pub has: Vec<String>,
    /// Texts that it does not hold.
    pub lacks: Vec<String>,
    /// Text at its end, but for white space.
    pub ends: Option<String>,
    /// Whether the checksum and the size that the runner sent fit the stored bytes.
    pub checksum_fits: bool,
}
