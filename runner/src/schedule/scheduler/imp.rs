use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::health::{Checked, Health};
use super::slots::Slots;
use super::{ConcurrentIds, Entry, Plan};

/// Names one entry's way through a worker, from the poll to the end of its job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What the caller is to do, or to tell.
#[derive(Clone, Debug)]
pub enum Decision<D> {
    /// Poll for this entry. A worker, a job slot and a request slot are taken. The caller reports
    /// [`Scheduler::answered`], [`Scheduler::request_over`], perhaps [`Scheduler::job_added`], and in
    /// the end [`Scheduler::done`].
    Poll {
        /// What to report with.
        ticket: Ticket,
        /// The entry, as it was configured when it was fed.
        entry: Arc<Entry<D>>,
    },
    /// An entry went to a worker or would have, but is not polled now. For logs and metrics.
    Skipped {
        /// The entry.
        entry: Arc<Entry<D>>,
        /// Why.
        why: Skip,
    },
    /// A worker took this entry.
    Taken {
        /// The entry.
        entry: Arc<Entry<D>>,
        /// Who offered it.
        offered: Offered,
    },
    /// An unhealthy entry is polled again after `unhealthy_interval`.
    Forced {
        /// The entry.
        entry: Arc<Entry<D>>,
        /// Failures that were forgotten.
        failures: u32,
    },
    /// An entry has failed too often; it is not fed for `unhealthy_interval`.
    Unhealthy {
        /// The entry.
        entry: Arc<Entry<D>>,
        /// Failures so far.
        failures: u32,
    },
    /// A worker has started or, on shrinking, stopped; its number.
    Worker {
        /// Number of the worker, counted from 0.
        number: usize,
        /// Whether it started.
        started: bool,
    },
}

/// Who offered an entry to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// The feeder (`gitlab_runner_worker_feeds_total`).
    Feeder,
    /// A job of the same entry that was just added (RUN-SCH-06).
    Job,
}

/// Why an entry is not polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Its token is blank: not fed.
    BlankToken,
    /// Its answers were bad: not fed.
    Unhealthy,
    /// There is no such executor; counts as one bad answer.
    UnknownExecutor,
    /// It has as many jobs and requests as `limit` allows.
    JobLimit,
    /// It has as many requests under way as it may have.
    RequestLimit,
}

/// How a request ended, for the slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollEnd {
    /// It brought a job.
    pub got_job: bool,
    /// It was retried because the server asked for less.
    pub back_pressured: bool,
}

/// The one who walks over the entries.
#[derive(Debug)]
enum Feeder<D> {
    /// Goes on at this time, with the next entry of the round or with a new round.
    Sleeping(Duration),
    /// Waits for a worker that takes this entry.
    Blocked(Arc<Entry<D>>),
    /// After [`Scheduler::stop`].
    Stopped,
}

/// An entry on its way through a worker.
#[derive(Debug)]
struct Running<D> {
    entry: Arc<Entry<D>>,
    /// Whether its request slot is still taken.
    requesting: bool,
    /// Project and ids, once it is a job.
    job: Option<(i64, ConcurrentIds)>,
}

/// What to poll and when.
#[derive(Debug)]
pub struct Scheduler<D> {
    plan: Vec<Arc<Entry<D>>>,
    interval: Duration,
    /// `concurrent`, which the number of workers follows.
    wanted: usize,
    workers: usize,
    feeder: Feeder<D>,
    /// What is left of the feeder's round, and its pause after each entry.
    round: VecDeque<Arc<Entry<D>>>,
    pause: Duration,
    health: Health,
    slots: Slots,
    running: BTreeMap<Ticket, Running<D>>,
    next_ticket: u64,
    decisions: Vec<Decision<D>>,
}

impl<D> Scheduler<D> {
    /// A scheduler that has no workers and feeds nothing before [`Scheduler::start`].
    pub fn new() -> Self {
        Scheduler {
            plan: Vec::new(),
            interval: Duration::from_secs(3),
            wanted: 0,
            workers: 0,
            feeder: Feeder::Stopped,
            round: VecDeque::new(),
            pause: Duration::ZERO,
            health: Health::default(),
            slots: Slots::default(),
            running: BTreeMap::new(),
            next_ticket: 0,
            decisions: Vec::new(),
        }
    }

    /// Starts the feeder and the workers with this plan.
    pub fn start(&mut self, plan: Plan<D>, now: Duration) {
        self.adopt(plan);
        self.feeder = Feeder::Sleeping(now);
        self.adjust_workers();
        self.advance(now);
    }

    /// Takes a new plan, as a reload does: health is forgotten (RUN-SCH-11), the number of workers
    /// follows, running jobs and the feeder's current round stay as they are.
    pub fn reload(&mut self, plan: Plan<D>, now: Duration) {
        self.adopt(plan);
        self.adjust_workers();
        self.advance(now);
    }

    fn adopt(&mut self, plan: Plan<D>) {
        self.health.clear();
        self.interval = plan.interval();
        self.wanted = plan.concurrent;
        self.plan = plan.entries.into_iter().map(Arc::new).collect();
    }

    /// Polls nothing any more. What is under way goes on (RUN-SIG-01).
    pub fn stop(&mut self) {
        self.feeder = Feeder::Stopped;
        self.round.clear();
    }

    /// When [`Scheduler::advance`] is due, if nothing else happens before.
    pub fn next_wake(&self) -> Option<Duration> {
        match self.feeder {
            Feeder::Sleeping(until) => Some(until),
            Feeder::Blocked(_) | Feeder::Stopped => None,
        }
    }

    /// What is to be done since the last call, in order.
    pub fn take_decisions(&mut self) -> Vec<Decision<D>> {
        std::mem::take(&mut self.decisions)
    }

    /// Lets the feeder go on if its time has come.
    pub fn advance(&mut self, now: Duration) {
        loop {
            match &self.feeder {
                Feeder::Sleeping(until) if *until <= now => self.feed_next(now),
                Feeder::Blocked(_) if self.idle() > 0 => {
                    if let Feeder::Blocked(entry) =
                        std::mem::replace(&mut self.feeder, Feeder::Sleeping(now + self.pause))
                    {
                        self.process(&entry, Offered::Feeder);
                    }
                }
                _ => return,
            }
        }
    }

    /// Takes the next entry of the round, or begins a round.
    fn feed_next(&mut self, now: Duration) {
        if self.round.is_empty() {
            if self.plan.is_empty() {
                self.feeder = Feeder::Sleeping(now + self.interval);
                return;
            }
            self.round = self.plan.iter().cloned().collect();
            // RUN-SCH-03. The plan is not empty, and nobody has 2^32 entries.
            self.pause = self.interval / self.plan.len() as u32;
        }
        let Some(entry) = self.round.pop_front() else {
            return;
        };
        self.feeder = Feeder::Sleeping(now + self.pause);
        if entry.token.trim().is_empty() {
            self.skip(entry, Skip::BlankToken);
            return;
        }
        match self.health.check(&entry, now) {
            Checked::Healthy => self.feeder = Feeder::Blocked(entry),
            Checked::Forced(failures) => {
                self.decisions.push(Decision::Forced {
                    entry: Arc::clone(&entry),
                    failures,
                });
                self.feeder = Feeder::Blocked(entry);
            }
            Checked::Unhealthy => self.skip(entry, Skip::Unhealthy),
        }
    }

    /// A worker takes an entry (runner.md 4.2, steps 1 to 3).
    fn process(&mut self, entry: &Arc<Entry<D>>, offered: Offered) {
        self.decisions.push(Decision::Taken {
            entry: Arc::clone(entry),
            offered,
        });
        if !entry.executor_known {
            self.skip(Arc::clone(entry), Skip::UnknownExecutor);
            return;
        }
        if !self.slots.take_job(entry) {
            self.skip(Arc::clone(entry), Skip::JobLimit);
            return;
        }
        if !self.slots.take_request(entry) {
            self.slots.release_job(&entry.token);
            self.skip(Arc::clone(entry), Skip::RequestLimit);
            return;
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.running.insert(
            ticket,
            Running {
                entry: Arc::clone(entry),
                requesting: true,
                job: None,
            },
        );
        self.decisions.push(Decision::Poll {
            ticket,
            entry: Arc::clone(entry),
        });
    }

    fn skip(&mut self, entry: Arc<Entry<D>>, why: Skip) {
        self.decisions.push(Decision::Skipped { entry, why });
    }

    /// Notes whether an answer was good (runner.md 4.3); an entry with an unknown executor is bad, too.
    pub fn note_health(&mut self, entry: &Arc<Entry<D>>, good: bool, now: Duration) {
        if let Some(failures) = self.health.note(entry, now, good) {
            self.decisions.push(Decision::Unhealthy {
                entry: Arc::clone(entry),
                failures,
            });
        }
    }

    /// The answer to a poll has come.
    pub fn answered(&mut self, ticket: Ticket, good: bool, now: Duration) {
        if let Some(running) = self.running.get(&ticket) {
            let entry = Arc::clone(&running.entry);
            self.note_health(&entry, good, now);
        }
    }

    /// The request slot is free again: nothing came, or the `running` update is over (RUN-SCH-08).
    pub fn request_over(&mut self, ticket: Ticket, end: PollEnd) {
        if let Some(running) = self.running.get_mut(&ticket)
            && std::mem::take(&mut running.requesting)
        {
            let entry = Arc::clone(&running.entry);
            self.slots
                .release_request(&entry, end.got_job, end.back_pressured);
        }
    }

    /// The job will run: takes its ids, and offers the entry to an idle worker (RUN-SCH-06). `None` for
    /// a ticket that is over.
    pub fn job_added(&mut self, ticket: Ticket, project: i64) -> Option<ConcurrentIds> {
        let running = self.running.get_mut(&ticket)?;
        let ids = self.slots.take_ids(&running.entry.token, project);
        running.job = Some((project, ids));
        Some(ids)
    }

    /// The job has ended, for the server too; the worker is not free before [`Scheduler::done`].
    pub fn job_removed(&mut self, ticket: Ticket) {
        if let Some(running) = self.running.get_mut(&ticket)
            && let Some((project, ids)) = running.job.take()
        {
            self.slots.release_ids(&running.entry.token, project, ids);
        }
    }

    /// The entry of a ticket, until [`Scheduler::done`].
    pub fn entry(&self, ticket: Ticket) -> Option<&Arc<Entry<D>>> {
        self.running.get(&ticket).map(|running| &running.entry)
    }

    /// Offers the entry of a job that was just added to an idle worker (RUN-SCH-06). Whether one took it.
    pub fn requeue(&mut self, ticket: Ticket) -> bool {
        let Some(running) = self.running.get(&ticket) else {
            return false;
        };
        let entry = Arc::clone(&running.entry);
        let offered = !entry.strict_check_interval
            && self.idle() > 0
            && !matches!(self.feeder, Feeder::Stopped);
        if offered {
            self.process(&entry, Offered::Job);
        }
        offered
    }

    /// The worker is through with the entry: nothing came, or the job has ended. All that it held is
    /// free, and a blocked feeder goes on.
    pub fn done(&mut self, ticket: Ticket, now: Duration) {
        self.request_over(ticket, PollEnd::default());
        if let Some(running) = self.running.remove(&ticket) {
            let token = &running.entry.token;
            if let Some((project, ids)) = running.job {
                self.slots.release_ids(token, project, ids);
            }
            self.slots.release_job(token);
        }
        self.adjust_workers();
        self.advance(now);
    }

    /// Workers that wait for an entry.
    fn idle(&self) -> usize {
        self.workers.saturating_sub(self.running.len())
    }

    /// Starts or stops workers. Only idle ones stop; the rest follow when they become idle.
    fn adjust_workers(&mut self) {
        while self.workers < self.wanted {
            self.decisions.push(Decision::Worker {
                number: self.workers,
                started: true,
            });
            self.workers += 1;
        }
        while self.workers > self.wanted && self.idle() > 0 {
            self.workers -= 1;
            self.decisions.push(Decision::Worker {
                number: self.workers,
                started: false,
            });
        }
    }

    /// The entries of the plan in force, in its order.
    pub fn entries(&self) -> &[Arc<Entry<D>>] {
        &self.plan
    }

    /// Jobs that run.
    pub fn jobs(&self) -> usize {
        self.running.values().filter(|r| r.job.is_some()).count()
    }

    /// Entries in work: polls and jobs.
    pub fn in_work(&self) -> usize {
        self.running.len()
    }

    /// Workers, idle or not (`gitlab_runner_worker_slots_number`).
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Requests under way for a token (`gitlab_runner_request_concurrency`).
    pub fn requests(&self, token: &str) -> u32 {
        self.slots.requests(token)
    }

    /// Job slots taken for a token, polls included.
    pub fn job_slots(&self, token: &str) -> u32 {
        self.slots.jobs(token)
    }

    /// The adaptive limit of a token, as the formula gives it.
    pub fn adaptive_limit(&self, token: &str) -> f64 {
        self.slots.adaptive_limit(token)
    }

    /// How many requests an entry may have under way now.
    pub fn request_limit(&self, entry: &Entry<D>) -> u32 {
        self.slots.request_limit(entry)
    }
}

impl<D> Default for Scheduler<D> {
    fn default() -> Self {
        Scheduler::new()
    }
}
