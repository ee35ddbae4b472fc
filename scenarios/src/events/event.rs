//! One event. It is written as a JSON line, and read by people and patterns as a line of text.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Number, from 1, without holes.
    pub seq: u64,
    /// Time since the beginning, ms.
    #[serde(rename = "at_ms", serialize_with = "milliseconds")]
    pub at: Duration,
    /// Who did it: a runner, `server`, `user`, `harness`.
    pub who: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

fn milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1_000_000.0).round() / 1000.0)
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A request and its answer.
    Request {
        /// Kind: `poll`, `patch`, `update`, …
        kind: &'static str,
        /// Job, where the request is about one.
        #[serde(skip_serializing_if = "Option::is_none")]
        job: Option<i64>,
        /// What the request says: the range of a patch, the state of an update; may be empty.
        #[serde(skip_serializing_if = "String::is_empty")]
        says: String,
        /// Status of the answer; 0 = none.
        status: u16,
        /// What the answer says: `job 4`, `range 0-10`; may be empty.
        #[serde(skip_serializing_if = "String::is_empty")]
        answer: String,
        /// The answer is a fault of the scenario, not the server's.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        fault: bool,
    },
    /// A job changed its state.
    Job {
        /// Job.
        job: i64,
        /// State before.
        from: String,
        /// State after.
        to: String,
        /// Why it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A step of the timeline.
    Step {
        /// The step, in words.
        step: String,
    },
    /// A runner started.
    Started,
    /// A runner or a command ended.
    Exited {
        /// The command; empty for a runner.
        #[serde(skip_serializing_if = "String::is_empty")]
        command: String,
        /// Exit code; -1 = it was killed.
        code: i32,
    },
}

impl fmt::Display for Event {
    /// Such as `main poll -> 201 job 4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Request {
                kind,
                job,
                says,
                status,
                answer,
                fault,
            } => {
                write!(f, "{} {kind}", self.who)?;
                if let Some(job) = job {
                    write!(f, " job {job}")?;
                }
                if !says.is_empty() {
                    write!(f, " {says}")?;
                }
                write!(f, " -> {status}")?;
                if !answer.is_empty() {
                    write!(f, " {answer}")?;
                }
                if *fault {
                    f.write_str(" (fault)")?;
                }
                Ok(())
            }
            What::Job {
                job,
                from,
                to,
                reason,
            } => {
                write!(f, "job {job} {from} -> {to}")?;
                match reason {
                    Some(reason) => write!(f, " {reason}"),
                    None => Ok(()),
                }
            }
            What::Step { step } => write!(f, "step {step}"),
            What::Started => write!(f, "{} started", self.who),
            What::Exited { command, code } if command.is_empty() => {
                write!(f, "{} exited {code}", self.who)
            }
            What::Exited { command, code } => write!(f, "{} {command} exited {code}", self.who),
        }
    }
}
