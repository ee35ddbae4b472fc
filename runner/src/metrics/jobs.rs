//! The jobs that run, for `/debug/jobs/list` and `gitlab_runner_jobs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::EntryLabels;
use crate::logging::go_duration;

/// State of a job (runner.md 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobState {
    /// It has not begun.
    Pending,
    /// Its stages run.
    Running,
    /// It went well; its end is being reported.
    Success,
    /// It failed.
    Failed,
    /// It was cancelled.
    Canceled,
    /// The manager's end has ended it.
    Terminated,
    /// It took longer than it may.
    TimedOut,
}

impl JobState {
    fn name(self) -> &'static str {
        match self {
            JobState::Pending => "pending",
            JobState::Running => "running",
            JobState::Success => "success",
            JobState::Failed => "failed",
            JobState::Canceled => "canceled",
            JobState::Terminated => "terminated",
            JobState::TimedOut => "timedout",
        }
    }
}

/// Where the executor is (runner.md 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExecutorStage {
    /// Made.
    Created,
    /// Prepares, or runs stages.
    Prepare,
    /// The stages are over.
    Finish,
    /// Cleans up.
    Cleanup,
}

impl ExecutorStage {
    fn name(self) -> &'static str {
        match self {
            ExecutorStage::Created => "created",
            ExecutorStage::Prepare => "prepare",
            ExecutorStage::Finish => "finish",
            ExecutorStage::Cleanup => "cleanup",
        }
    }
}

#[derive(Debug)]
struct Job {
    entry: EntryLabels,
    /// Page of the job.
    url: String,
    begin: Instant,
    state: JobState,
    stage: String,
    executor_stage: ExecutorStage,
}

/// All running jobs. A clone is the same list.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    next: u64,
    jobs: BTreeMap<u64, Job>,
}

/// What tells jobs apart in `gitlab_runner_jobs`: entry, state, stage, stage of the executor.
pub(super) type Group = (EntryLabels, &'static str, String, &'static str);

impl Jobs {
    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, entry: EntryLabels, url: String) -> JobWatch {
        let mut list = self.list();
        let number = list.next;
        list.next += 1;
        list.jobs.insert(
            number,
            Job {
                entry,
                url,
                begin: Instant::now(),
                state: JobState::Pending,
                stage: String::new(),
                executor_stage: ExecutorStage::Created,
            },
        );
        JobWatch {
            jobs: self.clone(),
            number,
        }
    }

    /// How many jobs there are of each kind.
    pub(super) fn counts(&self) -> BTreeMap<Group, i64> {
        let mut counts = BTreeMap::new();
        for job in self.list().jobs.values() {
            let group = (
                job.entry.clone(),
                job.state.name(),
                job.stage.clone(),
                job.executor_stage.name(),
            );
            *counts.entry(group).or_default() += 1;
        }
        counts
    }

    /// The page `/debug/jobs/list`, version 2.
    pub(super) fn page(&self) -> String {
        let mut page = String::new();
        for job in self.list().jobs.values() {
            // Writing to a string does not fail.
            let _ = writeln!(
                page,
                "url={} state={} stage={} executor_stage={} duration={}",
                job.url,
                job.state.name(),
                job.stage,
                job.executor_stage.name(),
                go_duration(job.begin.elapsed())
            );
        }
        page
    }
}

/// One job of the list; it leaves it when this is dropped.
#[derive(Debug)]
pub struct JobWatch {
    jobs: Jobs,
    number: u64,
}

impl JobWatch {
    fn update(&self, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.jobs.list().jobs.get_mut(&self.number) {
            change(job);
        }
    }

    /// The job has come to this state.
    pub fn state(&self, state: JobState) {
        self.update(|job| job.state = state);
    }

    /// The job has come to this stage, by its name.
    pub fn stage(&self, stage: &str) {
        self.update(|job| stage.clone_into(&mut job.stage));
    }

    /// Its executor has come to this stage.
    pub fn executor_stage(&self, stage: ExecutorStage) {
        self.update(|job| job.executor_stage = stage);
    }
}

impl Drop for JobWatch {
    fn drop(&mut self) {
        self.jobs.list().jobs.remove(&self.number);
    }
}
