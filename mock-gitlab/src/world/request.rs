//! `POST /jobs/request`: scope and order, then the walk (queueing.md 2-6).

use std::vec;

use jiff::Timestamp;
use protocol::{FailureReason, Features, JobRequest, JobStatus};

use super::answer::{ApiError, PollAnswer};
use super::core::World;
use super::deadline::after;
use super::event::EventKind;
use super::queue::Cursor;
use super::runners::scope;
use super::settings::Flag;
use super::text::Text;
use super::{JobId, RunnerId};

/// Most candidates that one poll examines (`MAX_QUEUE_DEPTH`).
pub(super) const MAX_QUEUE_DEPTH: u32 = 45;
/// Life of the lease on an examined job, s.
const LEASE_S: i64 = 3;

/// A poll whose order is fixed but that has not walked it yet. Between the two other polls may take
/// jobs: that is how a race looks (QUE-V16, QUE-V17).
#[derive(Debug)]
pub enum PendingRequest {
    /// Answered without reading the queue.
    Answered(PollAnswer),
    /// The order is fixed.
    Walk(Box<PendingWalk>),
}

/// What a fixed order needs to be walked later.
#[derive(Debug)]
pub struct PendingWalk {
    request: JobRequest,
    poller: Poller,
    candidates: Vec<JobId>,
}

/// Who polls, and the `last_update` value from before the scan.
#[derive(Debug)]
pub(super) struct Poller {
    pub(super) runner: RunnerId,
    pub(super) system_id: Text,
    last_update: Text,
}

/// Where the walk takes its candidates from.
enum Candidates {
    /// The queue itself, as long as it does not change.
    Lazy(Cursor),
    /// An order that was fixed earlier.
    Fixed(vec::IntoIter<JobId>),
}

impl World {
    /// A whole poll. `peer` is the address of the runner, stored with its machine.
    ///
    /// Costs `O(classes that the runner matches)` when nothing is eligible, without an allocation.
    pub fn request_job(&mut self, now: Timestamp, request: &JobRequest, peer: &str) -> PollAnswer {
        let poller = match self.begin_poll(now, request, peer) {
            Ok(poller) => poller,
            Err(answer) => return answer,
        };
        let candidates = Candidates::Lazy(self.order(poller.runner));
        self.walk(now, &poller, request, candidates)
    }

    /// First half of a poll: authentication, heartbeat, `last_update`, scope and order.
    pub fn begin_request(
        &mut self,
        now: Timestamp,
        request: &JobRequest,
        peer: &str,
    ) -> PendingRequest {
        match self.begin_poll(now, request, peer) {
            Err(answer) => PendingRequest::Answered(answer),
            Ok(poller) => {
                let mut cursor = self.order(poller.runner);
                // One more than is examined, so that the walk knows that there was more.
                let candidates = cursor.take(&self.queue, MAX_QUEUE_DEPTH as usize + 1);
                PendingRequest::Walk(Box::new(PendingWalk {
                    request: request.clone(),
                    poller,
                    candidates,
                }))
            }
        }
    }

    /// Second half of a poll: walks the order and assigns.
    pub fn finish_request(&mut self, now: Timestamp, pending: PendingRequest) -> PollAnswer {
        match pending {
            PendingRequest::Answered(answer) => answer,
            PendingRequest::Walk(walk) => {
                self.tick(now);
                let candidates = Candidates::Fixed(walk.candidates.into_iter());
                self.walk(now, &walk.poller, &walk.request, candidates)
            }
        }
    }

    /// Rows 1-4 of queueing.md 2. `Err` is an answer that needs no scan.
    fn begin_poll(
        &mut self,
        now: Timestamp,
        request: &JobRequest,
        peer: &str,
    ) -> Result<Poller, PollAnswer> {
        let refuse = |world: &mut World, error: ApiError| {
            world.poll_event(now, None, error.status, None, None);
            PollAnswer::Error(error)
        };
        if let Err(error) = self.begin_call(now) {
            return Err(refuse(self, error));
        }
        if request.token.is_empty() {
            return Err(refuse(self, ApiError::missing("token")));
        }
        let Some(runner) = self.runner_with_token(now, &request.token) else {
            return Err(refuse(self, ApiError::forbidden()));
        };
        let limit = self.settings.runner_jobs_request_api_limit;
        let counted = self
            .runners
            .get_mut(&runner)
            .map_or(Ok(()), |entry| entry.requests.count(now, limit));
        if let Err(wait) = counted {
            return Err(refuse(self, ApiError::rate_limited(wait)));
        }
        let info = Some(&request.info);
        let system_id = self.touch_manager(now, runner, &request.system_id, info, peer);
        let Some(last_update) = self.read_queue_value(now, runner) else {
            return Err(refuse(self, ApiError::forbidden()));
        };
        let paused = self.runners.get(&runner).is_some_and(|e| e.record.paused);
        if paused || (!request.last_update.is_empty() && *last_update == *request.last_update) {
            self.poll_event(now, Some((runner, &system_id)), 204, None, None);
            return Err(PollAnswer::NoJob {
                last_update,
                scanned: false,
            });
        }
        Ok(Poller {
            runner,
            system_id,
            last_update,
        })
    }

    fn order(&mut self, runner: RunnerId) -> Cursor {
        match self.runners.get_mut(&runner) {
            Some(entry) => Cursor::new(&self.queue, &mut entry.matcher, scope(&entry.record)),
            None => Cursor::default(),
        }
    }

    /// The walk of queueing.md 5.
    fn walk(
        &mut self,
        now: Timestamp,
        poller: &Poller,
        request: &JobRequest,
        mut candidates: Candidates,
    ) -> PollAnswer {
        self.end_leases(now);
        let mut depth = 0;
        let mut valid = true;
        let mut given = None;
        while let Some(id) = candidates.next(&self.queue) {
            depth += 1;
            if depth > MAX_QUEUE_DEPTH {
                valid = false;
                break;
            }
            if !self.lease(now, id) {
                valid = false;
                continue;
            }
            if !self.is_waiting(id) {
                candidates.fix(&self.queue, depth);
                valid &= !self.queue.remove(id);
                continue;
            }
            if !self.matches(poller.runner, id) {
                continue;
            }
            if let Some(reason) = self.refusal(now, id, request.info.features) {
                candidates.fix(&self.queue, depth);
                self.give_to(now, id, poller, request);
                self.drop_job(now, id, reason, None);
                continue;
            }
            given = Some(self.assign(now, id, poller, request, depth));
            break;
        }
        self.settle(now);
        let status = match (&given, valid) {
            (Some(_), _) => 201,
            (None, true) => 204,
            (None, false) => 409,
        };
        let job = given.as_ref().and_then(PollAnswer::job_id);
        let from = Some((poller.runner, &poller.system_id));
        self.poll_event(now, from, status, job, Some(depth));
        match given {
            Some(answer) => answer,
            None if valid => PollAnswer::NoJob {
                last_update: poller.last_update.clone(),
                scanned: true,
            },
            None => PollAnswer::Conflict,
        }
    }

    fn is_waiting(&self, id: JobId) -> bool {
        self.status(id) == Some(JobStatus::Pending) && self.queue.contains(id)
    }

    /// Step 4: once more, with the runner's settings of now.
    fn matches(&self, runner: RunnerId, id: JobId) -> bool {
        match (self.runners.get(&runner), self.jobs.get(&id)) {
            (Some(entry), Some(job)) => entry
                .matcher
                .accepts_names(job.protected, &job.definition.tags),
            _ => false,
        }
    }

    /// Section 6: why this job must not run on this runner.
    pub(super) fn refusal(
        &self,
        now: Timestamp,
        id: JobId,
        features: Features,
    ) -> Option<FailureReason> {
        let job = self.jobs.get(&id)?;
        let project = self.projects.get(&job.project);
        if self.misses_dependency(now, job) {
            Some(FailureReason::MissingDependencyFailure)
        } else if !job.definition.runs_with(features) {
            Some(FailureReason::RunnerUnsupported)
        } else if self.is_archived(now, job) {
            Some(FailureReason::ArchivedFailure)
        } else if project.is_none_or(|project| project.pending_delete) {
            Some(FailureReason::ProjectDeleted)
        } else if project.is_some_and(|project| !project.builds) {
            Some(FailureReason::BuildsDisabled)
        } else if self.users.get(&job.user).is_none_or(|user| user.blocked) {
            Some(FailureReason::UserBlocked)
        } else {
            None
        }
    }

    /// Takes the lease on a job; false if another poll has it. It is never released early.
    fn lease(&mut self, now: Timestamp, id: JobId) -> bool {
        if self.settings.flag(Flag::CiRegisterJobTemporaryLockDisabled) {
            return true;
        }
        let free = self.leases.insert(id);
        if free {
            self.lease_ends.push_back((after(now, LEASE_S), id));
        }
        free
    }

    fn end_leases(&mut self, now: Timestamp) {
        while let Some((end, id)) = self.lease_ends.front().copied() {
            if end > now {
                break;
            }
            self.lease_ends.pop_front();
            self.leases.remove(&id);
        }
    }

    fn poll_event(
        &mut self,
        now: Timestamp,
        from: Option<(RunnerId, &Text)>,
        status: u16,
        job: Option<JobId>,
        depth: Option<u32>,
    ) {
        if self.settings.event_capacity == 0 {
            return;
        }
        let kind = EventKind::Poll {
            runner: from.map(|(runner, _)| runner),
            system_id: from.map(|(_, system_id)| system_id.clone()),
            status,
            job,
            depth,
        };
        self.event(now, kind);
    }
}

impl Candidates {
    fn next(&mut self, queue: &super::queue::Queue) -> Option<JobId> {
        match self {
            Candidates::Lazy(cursor) => cursor.next(queue),
            Candidates::Fixed(ids) => ids.next(),
        }
    }

    /// The queue is about to change: keep the rest of what may be examined after `depth` candidates.
    fn fix(&mut self, queue: &super::queue::Queue, depth: u32) {
        if let Candidates::Lazy(cursor) = self {
            let rest = (MAX_QUEUE_DEPTH + 1).saturating_sub(depth) as usize;
            *self = Candidates::Fixed(cursor.take(queue, rest).into_iter());
        }
    }
}
