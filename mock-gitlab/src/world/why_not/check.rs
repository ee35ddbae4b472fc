//! Finds the first criterion that fails.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use protocol::{Features, JobStatus};

use super::reason::WhyNot;
use crate::world::core::World;
use crate::world::queue::{Cursor, Matcher};
use crate::world::request::MAX_QUEUE_DEPTH;
use crate::world::runners::{RunnerEntry, scope};
use crate::world::settings::Flag;
use crate::world::state::{AccessLevel, Job, Runner, RunnerType};
use crate::world::text::Text;
use crate::world::transition::sorted_tags;
use crate::world::{JobId, RunnerId};

impl World {
    /// Why the next poll of this runner, at `now`, would not get this job; `None` = it gets it.
    ///
    /// "The next poll" is one that reads the queue, so not one with the current `last_update` value,
    /// from the machine of the runner that was last heard of: its features decide what it can run. A
    /// runner that was never heard of is taken to have all of them. Time alone changes the world, so a
    /// caller that lets it pass calls [`World::tick`] first.
    ///
    /// Costs one look at each job that stands before this one in the runner's order.
    pub fn why_not(&self, now: Timestamp, runner: RunnerId, job: JobId) -> Option<WhyNot> {
        self.why_nots(now, runner, &[job]).pop().flatten()
    }

    /// [`World::why_not`] for many jobs of one runner, in the order of `jobs`. Costs little more than
    /// the question for the last of them.
    pub fn why_nots(
        &self,
        now: Timestamp,
        runner: RunnerId,
        jobs: &[JobId],
    ) -> Vec<Option<WhyNot>> {
        let entry = self.runners.get(&runner);
        let mut reasons = Vec::with_capacity(jobs.len());
        let mut asked = BTreeSet::new();
        for id in jobs {
            let reason = self.before_the_order(now, entry, *id);
            if reason.is_none() {
                asked.insert(*id);
            }
            reasons.push(reason);
        }
        let Some(entry) = entry.filter(|_| !asked.is_empty()) else {
            return reasons;
        };
        let mut found = self.walk_ahead(now, &entry.record, asked);
        for (id, reason) in jobs.iter().zip(&mut reasons) {
            if reason.is_none() {
                *reason = found.remove(id);
            }
        }
        reasons
    }

    /// Jobs that have not started and still may, by id.
    pub fn waiting_jobs(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs().filter(|job| waits(job.status))
    }

    /// Every criterion but the order of the queue.
    fn before_the_order(
        &self,
        now: Timestamp,
        entry: Option<&RunnerEntry>,
        id: JobId,
    ) -> Option<WhyNot> {
        let Some(job) = self.jobs.get(&id) else {
            return Some(WhyNot::NoJob);
        };
        let Some(entry) = entry else {
            return Some(WhyNot::NoRunner);
        };
        let runner = &entry.record;
        not_to_be_had(job)
            .or_else(|| self.gets_nothing(now, entry))
            .or_else(|| self.out_of_scope(runner, job))
            .or_else(|| does_not_match(runner, job))
            .or_else(|| self.not_ready(job))
    }

    /// What a poll checks before it reads the queue, in the same order.
    fn gets_nothing(&self, now: Timestamp, entry: &RunnerEntry) -> Option<WhyNot> {
        if self.settings.migrations_running {
            return Some(WhyNot::Migrations);
        }
        let expired = entry.record.token_expires_at.filter(|end| *end <= now);
        if let Some(since) = expired {
            return Some(WhyNot::TokenExpired { since });
        }
        let limit = self.settings.runner_jobs_request_api_limit;
        // Counted on a copy.
        let mut requests = entry.requests;
        if let Err(retry_after_s) = requests.count(now, limit) {
            return Some(WhyNot::RateLimited { retry_after_s });
        }
        entry.record.paused.then_some(WhyNot::Paused)
    }

    /// By the snapshot of a job that waits in the queue, and by the project of now for all others.
    fn out_of_scope(&self, runner: &Runner, job: &Job) -> Option<WhyNot> {
        let project = job.project;
        let record = self.projects.get(&project);
        let ci_off = record.is_none_or(|project| !project.builds || project.pending_delete);
        let snapshot = self.queue.snapshot(job.id);
        let off = |reason| {
            Some(if ci_off {
                WhyNot::CiOff { project }
            } else {
                reason
            })
        };
        match (runner.runner_type, runner.group) {
            (RunnerType::InstanceType, _) => {
                let on = match snapshot {
                    Some(snapshot) => snapshot.instance_runners_enabled,
                    None => !ci_off && record.is_some_and(|project| project.instance_runners),
                };
                if on {
                    None
                } else {
                    off(WhyNot::InstanceRunnersOff { project })
                }
            }
            (RunnerType::GroupType, None) => Some(WhyNot::OtherGroup {
                project,
                group: None,
            }),
            (RunnerType::GroupType, Some(group)) => {
                let own = record.and_then(|project| self.groups.get(&project.group?));
                let below = own.is_some_and(|own| own.traversal_ids.contains(&group));
                let on = match snapshot {
                    Some(snapshot) => snapshot.traversal.contains(&group),
                    None => below && !ci_off && record.is_some_and(|project| project.group_runners),
                };
                if on {
                    None
                } else if below {
                    off(WhyNot::GroupRunnersOff { project })
                } else {
                    Some(WhyNot::OtherGroup {
                        project,
                        group: Some(group),
                    })
                }
            }
            (RunnerType::ProjectType, _) => (runner.projects.binary_search(&project).is_err())
                .then_some(WhyNot::OtherProject { project }),
        }
    }

    /// Why a job is not in the queue.
    fn not_ready(&self, job: &Job) -> Option<WhyNot> {
        let status = job.status;
        match status {
            JobStatus::Pending if self.queue.contains(job.id) => None,
            JobStatus::Manual => Some(WhyNot::Manual),
            JobStatus::Scheduled => Some(match job.scheduled_at {
                Some(until) => WhyNot::Delayed { until },
                None => WhyNot::NotReady { status },
            }),
            JobStatus::WaitingForResource => {
                let group = Text::from(job.definition.resource_group.as_deref().unwrap_or(""));
                let key = (job.project, group);
                let holder = self
                    .resource_groups
                    .get(&key)
                    .and_then(|group| group.holder);
                let group = key.1;
                Some(WhyNot::ResourceGroup { group, holder })
            }
            JobStatus::Created => self.waits_for(job).or(Some(WhyNot::NotReady { status })),
            _ => Some(WhyNot::NotReady { status }),
        }
    }

    /// The job that keeps a created one back.
    fn waits_for(&self, job: &Job) -> Option<WhyNot> {
        let pipeline = self.pipelines.get(&job.pipeline?)?;
        // An optional manual job keeps nobody back (queueing.md 11, "Composite").
        let open = |other: &&Job| {
            let ignored = other.status == JobStatus::Manual && other.allow_failure;
            !other.status.is_complete() && !ignored
        };
        if let Some(needs) = &job.definition.needs {
            let latest = |name: &str| {
                let mut latest = self.latest_jobs(pipeline.id);
                latest.find(|job| job.definition.name == name)
            };
            let all = needs.iter().map(|need| (need, latest(&need.job)));
            return all
                .filter(|(need, found)| found.as_ref().map_or(!need.optional, open))
                .map(|(need, found)| WhyNot::Needs {
                    name: need.job.clone(),
                    job: found.map(|job| job.id),
                    status: found.map(|job| job.status),
                })
                .next();
        }
        let earlier = self
            .latest_jobs(pipeline.id)
            .filter(|other| other.stage_index < job.stage_index)
            .filter(open)
            .min_by_key(|other| (other.stage_index, other.id))?;
        Some(WhyNot::Stage {
            stage: earlier.definition.stage.clone(),
            job: earlier.id,
            status: earlier.status,
        })
    }

    /// The walk of the next poll, without its effects (queueing.md 5): reasons of the `asked` jobs, which
    /// all stand in the runner's order. The job that the poll gets has none.
    fn walk_ahead(
        &self,
        now: Timestamp,
        runner: &Runner,
        mut asked: BTreeSet<JobId>,
    ) -> BTreeMap<JobId, WhyNot> {
        // A matcher of its own, because looking ahead must not change the runner's.
        let mut matcher = Matcher::new(
            runner.tags.clone(),
            runner.run_untagged,
            runner.access_level == AccessLevel::RefProtected,
        );
        let mut cursor = Cursor::new(&self.queue, &mut matcher, scope(runner));
        let leases = self.live_leases(now);
        let features = last_features(runner);
        let fair = runner.runner_type == RunnerType::InstanceType
            && !self
                .settings
                .flag(Flag::CiQueueingDisasterRecoveryDisableFairScheduling);
        let mut reasons = BTreeMap::new();
        let mut given = None;
        let mut before = 0;
        while !asked.is_empty()
            && let Some(id) = cursor.next(&self.queue)
        {
            let reason = if let Some(next) = given {
                let project = self.jobs.get(&id).map_or(0, |job| job.project);
                Some(WhyNot::Order {
                    next,
                    before,
                    running: fair.then(|| self.queue.running(project)),
                })
            } else if before >= MAX_QUEUE_DEPTH as usize {
                Some(WhyNot::TooDeep {
                    before,
                    limit: MAX_QUEUE_DEPTH,
                })
            } else if let Some(until) = leases.get(&id) {
                Some(WhyNot::Leased { until: *until })
            } else if let Some(failure_reason) = self.refusal(now, id, features) {
                Some(WhyNot::WouldFail { failure_reason })
            } else {
                given = Some(id);
                None
            };
            before += 1;
            if asked.remove(&id)
                && let Some(reason) = reason
            {
                reasons.insert(id, reason);
            }
        }
        reasons
    }

    fn live_leases(&self, now: Timestamp) -> BTreeMap<JobId, Timestamp> {
        if self.settings.flag(Flag::CiRegisterJobTemporaryLockDisabled) {
            return BTreeMap::new();
        }
        let live = self.lease_ends.iter().filter(|(end, _)| *end > now);
        live.map(|(end, id)| (*id, *end)).collect()
    }
}

/// Whether a job has not started and still may.
fn waits(status: JobStatus) -> bool {
    matches!(
        status,
        JobStatus::Created
            | JobStatus::WaitingForResource
            | JobStatus::Preparing
            | JobStatus::WaitingForCallback
            | JobStatus::Pending
            | JobStatus::Manual
            | JobStatus::Scheduled
    )
}

/// Jobs that are somebody's already, or were.
fn not_to_be_had(job: &Job) -> Option<WhyNot> {
    let run = job.run.as_ref();
    match run.and_then(|run| Some((run.runner, run.acknowledge_until?))) {
        Some((runner, until)) if job.status == JobStatus::Pending => {
            Some(WhyNot::Assigned { runner, until })
        }
        _ => (!waits(job.status)).then_some(WhyNot::NotWaiting { status: job.status }),
    }
}

/// Protection and tags (queueing.md 3.2-3.4).
fn does_not_match(runner: &Runner, job: &Job) -> Option<WhyNot> {
    if runner.access_level == AccessLevel::RefProtected && !job.protected {
        return Some(WhyNot::Unprotected);
    }
    if job.definition.tags.is_empty() {
        return (!runner.run_untagged).then_some(WhyNot::Untagged);
    }
    let mut tags = sorted_tags(&job.definition.tags);
    tags.retain(|tag| runner.tags.binary_search(tag).is_err());
    (!tags.is_empty()).then_some(WhyNot::MissingTags { tags })
}

/// Features of the machine that was last heard of; all of them when none ever was.
fn last_features(runner: &Runner) -> Features {
    let machines = runner.managers.values();
    machines
        .max_by_key(|machine| (machine.contacted_at, machine.id))
        .map_or_else(all_features, |machine| machine.features)
}

fn all_features() -> Features {
    let mut all = Features::default();
    for name in Features::NAMES {
        all.set(name, true);
    }
    all
}
