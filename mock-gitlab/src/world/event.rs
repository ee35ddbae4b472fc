//! What happened, in one linear order. Names are those of the protocol.

use std::collections::VecDeque;

use jiff::Timestamp;
use protocol::JobStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::text::Text;
use super::{JobId, PipelineId, ProjectId, RunnerId};

/// One event. Serialises to stable JSON: `{"seq":1,"at":"…","event":"job_status","job":1,…}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Counts from 1, without holes in one world.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who and what.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Who did what. Members that do not apply are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A job was made.
    JobCreated {
        /// Job.
        job: JobId,
        /// Project.
        project: ProjectId,
        /// Pipeline.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pipeline: Option<PipelineId>,
        /// Name.
        name: Text,
        /// The job that it retries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_of: Option<JobId>,
    },
    /// A job changed its state.
    JobStatus {
        /// Job.
        job: JobId,
        /// State before.
        #[schema(value_type = String)]
        from: JobStatus,
        /// State after.
        #[schema(value_type = String)]
        to: JobStatus,
        /// Runner of the job.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runner: Option<RunnerId>,
        /// Failure reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure_reason: Option<Text>,
    },
    /// A pipeline changed its state.
    PipelineStatus {
        /// Pipeline.
        pipeline: PipelineId,
        /// State after.
        #[schema(value_type = String)]
        to: JobStatus,
    },
    /// A runner polled.
    Poll {
        /// Runner; absent when the token is unknown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runner: Option<RunnerId>,
        /// `system_id` of the machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system_id: Option<Text>,
        /// HTTP status.
        status: u16,
        /// The job that was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<JobId>,
        /// How many candidates were examined; absent when the queue was not read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        depth: Option<u32>,
    },
    /// A trace patch.
    TracePatch {
        /// Job.
        job: JobId,
        /// Start of the range.
        start: u64,
        /// Bytes in the body.
        bytes: u64,
        /// HTTP status.
        status: u16,
        /// Stored bytes after it.
        stored: u64,
    },
    /// A job update.
    JobUpdate {
        /// Job.
        job: JobId,
        /// State that was sent.
        state: Text,
        /// HTTP status.
        status: u16,
        /// State of the job after it.
        #[schema(value_type = String)]
        job_status: JobStatus,
    },
    /// A runner was made.
    RunnerCreated {
        /// Runner.
        runner: RunnerId,
    },
    /// A runner was verified.
    RunnerVerified {
        /// Runner.
        runner: RunnerId,
        /// `system_id` of the machine.
        system_id: Text,
    },
    /// A runner was removed.
    RunnerDeleted {
        /// Runner.
        runner: RunnerId,
    },
    /// A runner manager was removed.
    RunnerManagerDeleted {
        /// Runner.
        runner: RunnerId,
        /// `system_id` of the machine.
        system_id: Text,
    },
    /// A runner got a new token.
    RunnerTokenReset {
        /// Runner.
        runner: RunnerId,
    },
    /// An artifact was uploaded.
    ArtifactUpload {
        /// Job.
        job: JobId,
        /// Type.
        file_type: Text,
        /// HTTP status.
        status: u16,
        /// Bytes.
        bytes: u64,
    },
}

/// The newest events, at most a fixed number of them.
#[derive(Debug)]
pub(super) struct EventLog {
    /// Numbers without holes; the last one is `sequence`.
    ring: VecDeque<Event>,
    capacity: usize,
    sequence: u64,
    dropped: u64,
    /// How often another log took this one's place, so that a number may stand for another event now.
    rewound: u64,
}

/// A log as a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsState {
    /// The newest events, oldest first.
    pub(super) kept: Vec<Event>,
    /// Number of the newest event that there ever was.
    pub(super) sequence: u64,
    /// Events that were dropped because nobody took them in time.
    pub(super) dropped: u64,
}

impl EventLog {
    pub(super) fn new(capacity: usize) -> EventLog {
        EventLog {
            ring: VecDeque::new(),
            capacity,
            sequence: 0,
            dropped: 0,
            rewound: 0,
        }
    }

    /// The log as a value.
    pub(super) fn state(&self) -> EventsState {
        EventsState {
            kept: self.ring.iter().cloned().collect(),
            sequence: self.sequence,
            dropped: self.dropped,
        }
    }

    /// The log of a value, whose numbers have no holes.
    pub(super) fn of_state(state: EventsState, capacity: usize) -> EventLog {
        let mut log = EventLog {
            ring: state.kept.into(),
            sequence: state.sequence,
            dropped: state.dropped,
            ..EventLog::new(capacity)
        };
        log.set_capacity(capacity);
        log
    }

    /// Takes the place of another log, whose numbers stood for other events.
    pub(super) fn begin_after(&mut self, other: &EventLog) {
        self.rewound = other.rewound + 1;
    }

    /// Number of the newest event, and how often another log took this one's place.
    pub(super) fn position(&self) -> (u64, u64) {
        (self.sequence, self.rewound)
    }

    /// The log of a world that takes the place of this one's: empty, and the numbers go on.
    pub(super) fn next_world(&self, capacity: usize) -> EventLog {
        EventLog {
            sequence: self.sequence,
            rewound: self.rewound,
            ..EventLog::new(capacity)
        }
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        while self.ring.len() > capacity {
            self.ring.pop_front();
            self.dropped += 1;
        }
    }

    pub(super) fn push(&mut self, at: Timestamp, kind: EventKind) {
        if self.capacity == 0 {
            return;
        }
        if self.ring.len() == self.capacity {
            self.ring.pop_front();
            self.dropped += 1;
        }
        self.sequence += 1;
        self.ring.push_back(Event {
            seq: self.sequence,
            at,
            kind,
        });
    }

    /// Events with a higher number than `after`, at most `limit`, and how many such were dropped.
    pub(super) fn after(&self, after: u64, limit: usize) -> (Vec<Event>, u64) {
        let first = self
            .ring
            .front()
            .map_or(self.sequence + 1, |event| event.seq);
        let forgotten = first.saturating_sub(after.saturating_add(1));
        let skip =
            usize::try_from(after.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        let events = self.ring.iter().skip(skip).take(limit);
        (events.cloned().collect(), forgotten)
    }

    pub(super) fn take(&mut self) -> Vec<Event> {
        self.ring.drain(..).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.ring.iter()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}
