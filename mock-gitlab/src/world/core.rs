//! The world itself: what it holds, settings, events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use protocol::token;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::artifacts::Artifact;
use super::deadline::Deadline;
use super::event::{Event, EventKind, EventLog};
use super::pipeline::ResourceGroup;
use super::queue::Queue;
use super::runners::{RunnerEntry, TickListener};
use super::settings::{Flag, Settings};
use super::state::{Group, Job, Pipeline, Project, RunnerType, User};
use super::text::Text;
use super::token_table::TokenTable;
use super::trace::JobLog;
use super::{GroupId, JobId, PipelineId, ProjectId, RunnerId, UserId};

/// All state of a server, and every rule.
#[derive(Debug)]
pub struct World {
    pub(super) settings: Settings,
    pub(super) random: ChaCha8Rng,
    pub(super) groups: BTreeMap<GroupId, Group>,
    pub(super) projects: BTreeMap<ProjectId, Project>,
    pub(super) project_paths: BTreeMap<String, ProjectId>,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) personal_access_tokens: TokenTable<UserId>,
    pub(super) instance_registration_token: Text,
    pub(super) runners: BTreeMap<RunnerId, RunnerEntry>,
    /// For look-ups only: its order is never seen.
    pub(super) runner_tokens: TokenTable<RunnerId>,
    /// Runners whose `last_update` value somebody holds: only they can notice a tick.
    pub(super) armed: BTreeSet<RunnerId>,
    pub(super) tick_listener: Option<TickListener>,
    pub(super) pipelines: BTreeMap<PipelineId, Pipeline>,
    pub(super) jobs: BTreeMap<JobId, Box<Job>>,
    /// Tokens of jobs that a runner has; for look-ups only.
    pub(super) job_tokens: TokenTable<JobId>,
    pub(super) queue: Queue,
    pub(super) running: BTreeMap<JobId, RunningEntry>,
    /// Jobs that a poll examined less than 3 s ago, and when that lapses, oldest first.
    pub(super) leases: BTreeSet<JobId>,
    pub(super) lease_ends: VecDeque<(Timestamp, JobId)>,
    pub(super) resource_groups: BTreeMap<(ProjectId, Text), ResourceGroup>,
    /// Pipelines whose jobs changed and that have to be processed again.
    pub(super) dirty: BTreeSet<PipelineId>,
    pub(super) logs: BTreeMap<JobId, JobLog>,
    pub(super) artifacts: BTreeMap<JobId, BTreeMap<Text, Artifact>>,
    pub(super) deadlines: BTreeSet<Deadline>,
    pub(super) sweeps_planned: bool,
    pub(super) events: EventLog,
    pub(super) next: NextIds,
    pub(super) instance_uuid: String,
}

/// A row of `ci_running_builds` (queueing.md 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunningEntry {
    pub(super) project: ProjectId,
    pub(super) runner_type: RunnerType,
    pub(super) since: Timestamp,
}

/// Counters of automatic ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NextIds {
    pub(super) group: GroupId,
    pub(super) project: ProjectId,
    pub(super) user: UserId,
    pub(super) runner: RunnerId,
    pub(super) manager: i64,
    pub(super) pipeline: PipelineId,
    pub(super) job: JobId,
}

/// An explicit id, or the next one. Later automatic ids stand above every explicit one.
pub(super) fn take_id(next: &mut i64, explicit: Option<i64>) -> i64 {
    let id = explicit.unwrap_or(*next);
    *next = (*next).max(id.saturating_add(1));
    id
}

impl World {
    /// An empty world with one user, `root` (id 1, administrator), and an instance registration token.
    ///
    /// `seed` decides every made-up token.
    pub fn new(settings: Settings, seed: u64) -> World {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let instance_registration_token =
            Text::from(token::generate(token::REGISTRATION_PREFIX, &mut random));
        let root = User {
            id: 1,
            username: "root".to_owned(),
            name: "Administrator".to_owned(),
            admin: true,
            blocked: false,
        };
        let instance_uuid = uuid(&mut random);
        // Of a stream of its own: it is no part of what the world draws. A server sets another one.
        let mut secret = ChaCha8Rng::seed_from_u64(seed);
        secret.set_stream(1);
        let key: u128 = secret.random();
        World {
            events: EventLog::new(settings.event_capacity),
            settings,
            random,
            groups: BTreeMap::new(),
            projects: BTreeMap::new(),
            project_paths: BTreeMap::new(),
            users: BTreeMap::from([(1, root)]),
            personal_access_tokens: TokenTable::new(key),
            instance_registration_token,
            runners: BTreeMap::new(),
            runner_tokens: TokenTable::new(key),
            armed: BTreeSet::new(),
            tick_listener: None,
            pipelines: BTreeMap::new(),
            jobs: BTreeMap::new(),
            job_tokens: TokenTable::new(key),
            queue: Queue::new(),
            running: BTreeMap::new(),
            leases: BTreeSet::new(),
            lease_ends: VecDeque::new(),
            resource_groups: BTreeMap::new(),
            dirty: BTreeSet::new(),
            logs: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            sweeps_planned: false,
            next: NextIds {
                group: 1,
                project: 1,
                user: 2,
                runner: 1,
                manager: 1,
                pipeline: 1,
                job: 1,
            },
            instance_uuid,
        }
    }

    /// Settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes settings. Takes effect with the next call.
    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.events.set_capacity(self.settings.event_capacity);
        let unfair = Flag::CiQueueingDisasterRecoveryDisableFairScheduling;
        self.queue.set_fair(!self.settings.flag(unfair));
    }

    /// The secret of the hash by which tokens are found. Nothing that anybody can see depends on it. A new
    /// world has one of its seed; a server that strangers can time sets one that nobody can know.
    pub fn set_token_hash_key(&mut self, key: u128) {
        self.personal_access_tokens.set_key(key);
        self.runner_tokens.set_key(key);
        self.job_tokens.set_key(key);
    }

    /// That secret.
    #[cfg(test)]
    pub(crate) fn token_hash_key(&self) -> u128 {
        self.runner_tokens.key()
    }

    /// Switches a feature flag.
    pub fn set_flag(&mut self, flag: Flag, on: bool) {
        self.change_settings(|settings| {
            if on {
                settings.flags.insert(flag);
            } else {
                settings.flags.remove(&flag);
            }
        });
    }

    /// Takes the events since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.take()
    }

    /// Events with a higher number than `after`, oldest first, at most `limit`; and how many such were
    /// dropped before. Takes nothing.
    pub fn events_after(&self, after: u64, limit: usize) -> (Vec<Event>, u64) {
        self.events.after(after, limit)
    }

    /// Number of the newest event, and how often [`World::restore`] put other events under the numbers of
    /// before.
    pub fn events_position(&self) -> (u64, u64) {
        self.events.position()
    }

    /// The events that nobody took yet, oldest first. They stay.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    /// Events that were dropped because nobody took them in time.
    pub fn events_dropped(&self) -> u64 {
        self.events.dropped()
    }

    pub(super) fn event(&mut self, now: Timestamp, kind: EventKind) {
        self.events.push(now, kind);
    }

    /// The instance's registration token.
    pub fn instance_registration_token(&self) -> &str {
        &self.instance_registration_token
    }

    /// Replaces the instance's registration token.
    pub fn set_instance_registration_token(&mut self, token: &str) {
        self.instance_registration_token = Text::from(token);
    }

    /// A made-up token with this prefix.
    pub(super) fn made_up_token(&mut self, prefix: &str) -> Text {
        Text::from(token::generate(prefix, &mut self.random))
    }
}

/// 32 random hex digits.
pub(super) fn hex(random: &mut ChaCha8Rng) -> String {
    format!("{:032x}", random.random::<u128>())
}

/// A random UUID, version 4.
fn uuid(random: &mut ChaCha8Rng) -> String {
    let digits = hex(random);
    format!(
        "{}-{}-4{}-a{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[13..16],
        &digits[17..20],
        &digits[20..]
    )
}
