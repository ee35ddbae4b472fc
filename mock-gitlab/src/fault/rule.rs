//! What one rule says.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Call, Endpoint};
use crate::world::{JobId, RunnerId};

/// Which requests, and what goes wrong with them. Parts that are not given change nothing.
///
/// The first half selects: a request has to fit all that is given. The second half is what happens, in
/// the order of its members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FaultRule {
    /// Kind of call; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<Endpoint>,
    /// Calls of this runner, also those about its jobs. A body that names the runner is read first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner: Option<RunnerId>,
    /// Calls about this job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The first request that gets it, counted from 1 since the rule was made; absent = the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// How many requests get it; 0 = without end. Absent: one, or without end when `for_ms` or
    /// `probability` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How long since the rule was made, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// Chance of each of these requests, above 0 up to 1. The generator's seed is the world's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,

    /// The server waits before it begins, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// The connection is reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
    /// The server restarts: every connection is reset, this one and the others, and so is each new one
    /// for this time, ms. What was stored stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_ms: Option<u64>,
    /// The server does nothing and answers with this status, 200 to 599.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers of the answer, in addition to or instead of its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Body of the answer, with `status`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// `Content-Type` of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The `Date` of the answer is wrong by this, s; negative = in the past.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_skew_s: Option<i64>,
    /// The connection ends after so many bytes of the answer's body, which promised more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncate: Option<u64>,
    /// The body of the answer comes slowly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow: Option<SlowBody>,
}

/// When a connection is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// Before the body of the request is read.
    BeforeBody,
    /// As soon as the first part of the body was read.
    InBody,
    /// When the body was read to its end; the server does nothing with it.
    AfterBody,
    /// When the server has done what was asked for: only the answer is lost.
    AfterAction,
}

/// How slowly a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowBody {
    /// So many bytes at a time.
    pub bytes: u64,
    /// Pause before each, ms.
    pub every_ms: u64,
}

/// Why a rule cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Nothing would go wrong.
    #[error(
        "the rule does nothing: give latency_ms, reset, restart_ms, status, headers, content_type, \
         date_skew_s, truncate or slow"
    )]
    Nothing,
    /// A value that cannot be.
    #[error("{member}: {problem}")]
    Value {
        /// Member.
        member: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Two parts that exclude each other.
    #[error("{0} and {1} exclude each other: give one of them")]
    Both(&'static str, &'static str),
    /// Too many rules.
    #[error("there are {0} rules already: remove some first")]
    TooMany(usize),
}

impl FaultRule {
    /// A rule on one kind of call, to be completed.
    pub fn on(endpoint: Endpoint) -> FaultRule {
        FaultRule {
            on: Some(endpoint),
            ..FaultRule::default()
        }
    }

    /// A storm: `times` answers 429 with `Retry-After` (wire.md 8.3).
    pub fn storm(endpoint: Endpoint, times: u64, retry_after_s: u32) -> FaultRule {
        FaultRule {
            times: Some(times),
            status: Some(StatusCode::TOO_MANY_REQUESTS.as_u16()),
            headers: BTreeMap::from([("Retry-After".to_owned(), retry_after_s.to_string())]),
            body: r#"{"message":{"error":"This endpoint has been requested too many times. Try again later."}}"#
                .to_owned(),
            content_type: Some("application/json".to_owned()),
            ..FaultRule::on(endpoint)
        }
    }

    /// Whether a request fits.
    pub(super) fn fits(&self, call: Call, runner: Option<RunnerId>) -> bool {
        self.on.is_none_or(|on| on == call.endpoint)
            && self.job.is_none_or(|job| Some(job) == call.job)
            && self.runner.is_none_or(|id| Some(id) == runner)
    }

    /// How many requests get it.
    pub(super) fn most(&self) -> u64 {
        match self.times {
            Some(0) => u64::MAX,
            Some(times) => times,
            None if self.for_ms.is_some() || self.probability.is_some() => u64::MAX,
            None => 1,
        }
    }

    /// Whether the rule can hold.
    pub fn check(&self) -> Result<(), FaultError> {
        let value = |member, problem: &str| {
            Err(FaultError::Value {
                member,
                problem: problem.to_owned(),
            })
        };
        if self.nth == Some(0) {
            return value("nth", "is counted from 1");
        }
        if self
            .probability
            .is_some_and(|chance| !(chance > 0.0 && chance <= 1.0))
        {
            return value("probability", "must be above 0 and at most 1");
        }
        if self
            .status
            .is_some_and(|status| !(200..=599).contains(&status))
        {
            return value("status", "must be from 200 to 599");
        }
        if self.status.is_none() && !self.body.is_empty() {
            return value("body", "needs a status");
        }
        if self.slow.is_some_and(|slow| slow.bytes == 0) {
            return value("slow", "bytes must be at least 1");
        }
        let content_type = self.content_type.as_deref();
        let headers = self.headers.iter().map(|(name, value)| (&**name, &**value));
        for (name, text) in headers.chain(content_type.map(|value| ("Content-Type", value))) {
            if name.parse::<HeaderName>().is_err() || text.parse::<HeaderValue>().is_err() {
                return value(
                    "headers",
                    &format!("`{name}` is no header, or its value is none"),
                );
            }
        }
        let ends = [
            ("reset", self.reset.is_some()),
            ("restart_ms", self.restart_ms.is_some()),
            ("status", self.status.is_some()),
        ];
        let mut given = ends
            .iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| *name);
        if let (Some(one), Some(other)) = (given.next(), given.next()) {
            return Err(FaultError::Both(one, other));
        }
        let of_answer = [
            ("headers", !self.headers.is_empty()),
            ("content_type", self.content_type.is_some()),
            ("date_skew_s", self.date_skew_s.is_some()),
            ("truncate", self.truncate.is_some()),
            ("slow", self.slow.is_some()),
        ];
        let answer = of_answer.iter().find(|(_, given)| *given);
        let ends = ends.iter().take(2).find(|(_, given)| *given);
        match (ends, answer) {
            (Some((end, _)), Some((part, _))) => Err(FaultError::Both(end, part)),
            (None, None) if self.status.is_none() && self.latency_ms.is_none() => {
                Err(FaultError::Nothing)
            }
            _ => Ok(()),
        }
    }
}
