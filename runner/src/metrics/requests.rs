use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{Histogram, IntCounter};
use protocol::path;

use super::{EntryLabels, Metrics};

/// A call whose requests are counted (runner.md 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A poll.
    RequestJob,
    /// An update of a job.
    UpdateJob,
    /// A piece of a job's log.
    PatchTrace,
    /// A new token for a runner.
    ResetToken,
}

impl Endpoint {
    /// The endpoint of a call, by its path below `/api/v4/`; `None` for a call that is not counted.
    pub fn of(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default();
        if path == path::JOBS_REQUEST {
            return Some(Endpoint::RequestJob);
        }
        if path == path::RUNNERS_RESET_AUTHENTICATION_TOKEN {
            return Some(Endpoint::ResetToken);
        }
        match path.strip_prefix("jobs/")?.split_once('/') {
            None => Some(Endpoint::UpdateJob),
            Some((_, "trace")) => Some(Endpoint::PatchTrace),
            Some(_) => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Endpoint::RequestJob => "request_job",
            Endpoint::UpdateJob => "update_job",
            Endpoint::PatchTrace => "patch_trace",
            Endpoint::ResetToken => "reset_token",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Endpoint::RequestJob | Endpoint::ResetToken => "post",
            Endpoint::UpdateJob => "put",
            Endpoint::PatchTrace => "patch",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Endpoint::RequestJob => "/api/v4/jobs/request",
            Endpoint::UpdateJob => "/api/v4/jobs/{id}",
            Endpoint::PatchTrace => "/api/v4/jobs/{id}/trace",
            Endpoint::ResetToken => "/api/v4/runners/reset_authentication_token",
        }
    }
}

/// Counts the requests of one entry. Made by [`Metrics::observer`].
#[derive(Clone, Debug)]
pub struct RequestObserver {
    metrics: Metrics,
    entry: EntryLabels,
    /// Series that were used: a few, asked for at every poll.
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    attempts: Vec<(Endpoint, IntCounter)>,
    ended: Vec<((Endpoint, i32), IntCounter, Histogram)>,
}

impl RequestObserver {
    pub(super) fn new(metrics: Metrics, entry: EntryLabels) -> Self {
        RequestObserver {
            metrics,
            entry,
            known: Arc::default(),
        }
    }

    /// A request goes out, the first one of its call or a later one.
    pub fn attempt(&self, endpoint: Endpoint) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = known.attempts.iter().find(|(of, _)| *of == endpoint) {
            counter.inc();
            return;
        }
        let families = self.metrics.families();
        let labels = [endpoint.path(), endpoint.method()];
        let counter = families.request_attempts.with_label_values(&labels);
        counter.inc();
        known.attempts.push((endpoint, counter));
    }

    /// A call has ended; `status` is -1 without an answer.
    pub fn ended(&self, endpoint: Endpoint, status: i32, duration: Duration) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (endpoint, status);
        if let Some((_, counter, times)) = known.ended.iter().find(|(of, ..)| *of == key) {
            counter.inc();
            times.observe(duration.as_secs_f64());
            return;
        }
        let families = self.metrics.families();
        let [runner, system_id] = self.entry.manager();
        let labels = |status: &str| {
            [
                runner,
                system_id,
                endpoint.name(),
                status,
                endpoint.method(),
            ]
            .map(str::to_owned)
        };
        let statuses = &families.request_statuses;
        let counter = statuses.with_label_values(&labels(&status.to_string()));
        counter.inc();
        let class = format!("{}xx", status / 100);
        let times = &families.request_duration;
        let times = times.with_label_values(&labels(&class));
        times.observe(duration.as_secs_f64());
        known.ended.push((key, counter, times));
    }
}
