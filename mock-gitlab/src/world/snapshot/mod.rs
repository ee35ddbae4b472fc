//! A world as a value: taken, kept as JSON, and made into a world again.
//!
//! `check`: whether a value can be a world at all.

mod check;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::artifacts::Artifact;
use super::core::{NextIds, RunningEntry, World};
use super::deadline::Deadline;
use super::event::{EventLog, EventsState};
use super::pipeline::ResourceGroup;
use super::queue::Snapshot;
use super::random::RandomState;
use super::rate_limit::RateWindow;
use super::runners::RunnerEntry;
use super::settings::Settings;
use super::state::{Group, Job, Pipeline, Project, Runner, RunnerType, User};
use super::text::Text;
use super::trace::{JobLog, PendingState};
use super::{GroupId, JobId, ProjectId, RunnerId, UserId};

/// Version of the form that is written and read.
const VERSION: u32 = 2;

/// Everything that a world knows, its past events included. It holds every token.
///
/// A world made of it does, call for call, what the one that it was taken from does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldSnapshot {
    version: u32,
    settings: Settings,
    random: RandomState,
    instance_uuid: String,
    instance_registration_token: Text,
    groups: Vec<Group>,
    projects: Vec<Project>,
    users: Vec<User>,
    personal_access_tokens: BTreeMap<Text, UserId>,
    runners: Vec<RunnerState>,
    armed: BTreeSet<RunnerId>,
    pipelines: Vec<Pipeline>,
    jobs: Vec<Job>,
    queue: Vec<QueueEntry>,
    running: Vec<RunningState>,
    leases: Vec<(Timestamp, JobId)>,
    resource_groups: Vec<ResourceState>,
    logs: Vec<LogState>,
    artifacts: Vec<ArtifactState>,
    deadlines: BTreeSet<Deadline>,
    sweeps_planned: bool,
    next: NextIds,
    events: EventsState,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunnerState {
    record: Runner,
    queue_value: Option<(Text, Timestamp)>,
    requests: RateWindow,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueEntry {
    job: JobId,
    project: ProjectId,
    protected: bool,
    tags: Vec<Text>,
    instance_runners_enabled: bool,
    traversal: Vec<GroupId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunningState {
    job: JobId,
    entry: RunningEntry,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceState {
    project: ProjectId,
    name: Text,
    group: ResourceGroup,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogState {
    job: JobId,
    /// Base 64.
    bytes: String,
    debug: bool,
    watched_until: Option<Timestamp>,
    locked: bool,
    pending_state: Option<PendingState>,
    reported: Option<(Text, u64)>,
    patches: RateWindow,
    calls: RateWindow,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArtifactState {
    job: JobId,
    artifact: Artifact,
}

/// Why a snapshot cannot be made into a world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Written by another version.
    #[error("version {0} is not known: this server reads version {VERSION}")]
    Version(u32),
    /// A part that is not what it should be.
    #[error("{0}")]
    Broken(String),
}

impl WorldSnapshot {
    /// The same without past events, which are most of what there is to copy.
    #[must_use]
    pub fn without_past(mut self) -> WorldSnapshot {
        self.events = EventsState::default();
        self
    }
}

impl World {
    /// Takes a snapshot. Costs a copy of everything.
    pub fn snapshot(&self) -> WorldSnapshot {
        WorldSnapshot {
            version: VERSION,
            settings: self.settings.clone(),
            random: RandomState::of(&self.random),
            instance_uuid: self.instance_uuid.clone(),
            instance_registration_token: self.instance_registration_token.clone(),
            groups: self.groups.values().cloned().collect(),
            projects: self.projects.values().cloned().collect(),
            users: self.users.values().cloned().collect(),
            personal_access_tokens: self.personal_access_tokens.all().collect(),
            runners: self.runners.values().map(runner_state).collect(),
            armed: self.armed.clone(),
            pipelines: self.pipelines.values().cloned().collect(),
            jobs: self.jobs.values().map(|job| (**job).clone()).collect(),
            queue: self.queue_entries(),
            running: self
                .running
                .iter()
                .map(|(job, entry)| RunningState {
                    job: *job,
                    entry: *entry,
                })
                .collect(),
            leases: self.lease_ends.iter().copied().collect(),
            resource_groups: self
                .resource_groups
                .iter()
                .map(|((project, name), group)| ResourceState {
                    project: *project,
                    name: name.clone(),
                    group: group.clone(),
                })
                .collect(),
            logs: self
                .logs
                .iter()
                .map(|(job, log)| log_state(*job, log))
                .collect(),
            artifacts: self
                .artifacts
                .iter()
                .flat_map(|(job, artifacts)| artifacts.values().map(|a| (*job, a.clone())))
                .map(|(job, artifact)| ArtifactState { job, artifact })
                .collect(),
            deadlines: self.deadlines.clone(),
            sweeps_planned: self.sweeps_planned,
            next: self.next.clone(),
            events: self.events.state(),
        }
    }

    /// A world of a snapshot.
    pub fn of_snapshot(snapshot: WorldSnapshot) -> Result<World, SnapshotError> {
        if snapshot.version != VERSION {
            return Err(SnapshotError::Version(snapshot.version));
        }
        check::check(&snapshot)?;
        let mut world = World::new(snapshot.settings, 0);
        world.random = snapshot
            .random
            .generator()
            .ok_or_else(|| SnapshotError::Broken("random.word is no number".to_owned()))?;
        world.instance_uuid = snapshot.instance_uuid;
        world.instance_registration_token = snapshot.instance_registration_token;
        world.groups = by_id(snapshot.groups, |group| group.id);
        for project in &snapshot.projects {
            world
                .project_paths
                .insert(project.full_path.clone(), project.id);
        }
        world.projects = by_id(snapshot.projects, |project| project.id);
        world.users = by_id(snapshot.users, |user| user.id);
        for (token, user) in snapshot.personal_access_tokens {
            world.personal_access_tokens.insert(token, user);
        }
        for state in snapshot.runners {
            let id = state.record.id;
            world.runner_tokens.insert(state.record.token.clone(), id);
            let mut entry = RunnerEntry::new(state.record);
            entry.queue_value = state.queue_value;
            entry.requests = state.requests;
            world.runners.insert(id, entry);
        }
        world.armed = snapshot.armed;
        world.pipelines = by_id(snapshot.pipelines, |pipeline| pipeline.id);
        for job in snapshot.jobs {
            if let Some(token) = job.token().filter(|_| !job.status.is_complete()) {
                world.job_tokens.insert(Text::from(token), job.id);
            }
            world.jobs.insert(job.id, Box::new(job));
        }
        let unfair = super::Flag::CiQueueingDisasterRecoveryDisableFairScheduling;
        world.queue.set_fair(!world.settings.flag(unfair));
        for RunningState { job, entry } in snapshot.running {
            if entry.runner_type == RunnerType::InstanceType {
                world.queue.change_running(entry.project, true);
            }
            world.running.insert(job, entry);
        }
        for entry in snapshot.queue {
            world.queue.add(
                entry.job,
                Snapshot {
                    project: entry.project,
                    protected: entry.protected,
                    tags: &entry.tags,
                    instance_runners_enabled: entry.instance_runners_enabled,
                    traversal: &entry.traversal,
                },
            );
        }
        world.leases = snapshot.leases.iter().map(|(_, job)| *job).collect();
        world.lease_ends = snapshot.leases.into();
        for state in snapshot.resource_groups {
            let key = (state.project, state.name);
            world.resource_groups.insert(key, state.group);
        }
        for state in snapshot.logs {
            let job = state.job;
            world.logs.insert(job, log_of(state)?);
        }
        for ArtifactState { job, artifact } in snapshot.artifacts {
            let artifacts = world.artifacts.entry(job).or_default();
            artifacts.insert(artifact.file_type.clone(), artifact);
        }
        world.deadlines = snapshot.deadlines;
        world.sweeps_planned = snapshot.sweeps_planned;
        world.next = snapshot.next;
        let capacity = world.settings.event_capacity;
        world.events = EventLog::of_state(snapshot.events, capacity);
        Ok(world)
    }

    /// Becomes another world, and forgets the past: events of before are gone, those of `world` do not
    /// come, and their numbers go on. What belongs to the server and not to the world stays: who is told
    /// of new `last_update` values, its address, the key of its token tables.
    pub fn replace(&mut self, mut world: World) {
        world.events = self.events.next_world(world.settings.event_capacity);
        self.change_places(world);
    }

    /// Becomes another world with all of its past: the events are those of `world`, with their numbers.
    /// Stays what [`World::replace`] lets stay.
    pub fn restore(&mut self, mut world: World) {
        world.events.begin_after(&self.events);
        self.change_places(world);
    }

    fn change_places(&mut self, mut world: World) {
        let url = std::mem::take(&mut self.settings.external_url);
        world.settings.external_url = url;
        world.set_token_hash_key(self.runner_tokens.key());
        world.tick_listener = self.tick_listener.take();
        let before = std::mem::replace(self, world);
        // Polls that are held for runners of before look again.
        for runner in before.runners.into_keys() {
            if let Some(super::TickListener(listener)) = &self.tick_listener {
                listener(runner);
            }
        }
    }

    fn queue_entries(&self) -> Vec<QueueEntry> {
        let waiting = self.jobs.keys().filter_map(|job| {
            let snapshot = self.queue.snapshot(*job)?;
            Some(QueueEntry {
                job: *job,
                project: snapshot.project,
                protected: snapshot.protected,
                tags: snapshot.tags.to_vec(),
                instance_runners_enabled: snapshot.instance_runners_enabled,
                traversal: snapshot.traversal.to_vec(),
            })
        });
        waiting.collect()
    }
}

fn by_id<T>(records: Vec<T>, id: impl Fn(&T) -> i64) -> BTreeMap<i64, T> {
    records
        .into_iter()
        .map(|record| (id(&record), record))
        .collect()
}

fn runner_state(entry: &RunnerEntry) -> RunnerState {
    RunnerState {
        record: entry.record.clone(),
        queue_value: entry.queue_value.clone(),
        requests: entry.requests,
    }
}

fn log_state(job: JobId, log: &JobLog) -> LogState {
    LogState {
        job,
        bytes: STANDARD.encode(log.bytes()),
        debug: log.debug,
        watched_until: log.watched_until,
        locked: log.locked,
        pending_state: log.pending_state,
        reported: log.reported.clone(),
        patches: log.patches,
        calls: log.calls,
    }
}

fn log_of(state: LogState) -> Result<JobLog, SnapshotError> {
    let bytes = STANDARD.decode(&state.bytes).map_err(|error| {
        SnapshotError::Broken(format!("logs: job {}: bytes: {error}", state.job))
    })?;
    let mut log = JobLog::default();
    log.append(&bytes);
    log.debug = state.debug;
    log.watched_until = state.watched_until;
    log.locked = state.locked;
    log.pending_state = state.pending_state;
    log.reported = state.reported;
    log.patches = state.patches;
    log.calls = state.calls;
    Ok(log)
}
