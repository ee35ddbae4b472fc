//! `PATCH /jobs/:id/trace` (wire.md 4.3).

use jiff::Timestamp;
use protocol::FailureReason;
use protocol::trace::content_range_start;
use serde_json::json;

use crate::world::JobId;
use crate::world::answer::{ApiError, TraceAnswer};
use crate::world::core::World;
use crate::world::deadline::seconds_between;
use crate::world::event::EventKind;

const MIB: u64 = 1024 * 1024;
/// A write touches the job only when its last change is older than this, s.
pub(in crate::world) const TOUCH_AFTER_S: i64 = 15 * 60;

impl World {
    /// `PATCH /jobs/:id/trace` (wire.md 4.3). `token` is the parameter or the `JOB-TOKEN` header.
    /// 416 carries [`ApiError::range`].
    ///
    /// Costs `O(body)`, however long the log is.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the request")]
    pub fn patch_trace(
        &mut self,
        now: Timestamp,
        job: JobId,
        token: Option<&str>,
        content_range: Option<&str>,
        debug_trace: bool,
        body: &[u8],
        peer: &str,
    ) -> Result<TraceAnswer, ApiError> {
        let start = content_range.map_or(0, content_range_start);
        let result = self.patch(now, job, token, content_range, debug_trace, body, peer);
        self.settle(now);
        if self.jobs.contains_key(&job) {
            let status = match &result {
                Ok(_) => 202,
                Err(error) => error.status,
            };
            let kind = EventKind::TracePatch {
                job,
                start,
                bytes: body.len() as u64,
                status,
                stored: self.trace_size(job),
            };
            self.event(now, kind);
        }
        result
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of the request")]
    fn patch(
        &mut self,
        now: Timestamp,
        id: JobId,
        token: Option<&str>,
        content_range: Option<&str>,
        debug_trace: bool,
        body: &[u8],
        peer: &str,
    ) -> Result<TraceAnswer, ApiError> {
        self.begin_call(now)?;
        let limit = self.settings.runner_jobs_patch_trace_api_limit;
        self.authenticate_job(now, id, token, |log| log.patches.count(now, limit))?;
        self.job_heartbeat(now, id, peer);
        let Some(content_range) = content_range else {
            return Err(ApiError::new(
                400,
                json!({ "error": "400 Missing header Content-Range" }),
            ));
        };
        let start = content_range_start(content_range);
        let end = start.saturating_add(body.len() as u64);
        if start == 0 && debug_trace {
            self.log(id).debug = true;
        }
        let limit = self.settings.ci_jobs_trace_size_limit_mib;
        if limit > 0 && end / MIB >= limit {
            self.drop_job(now, id, FailureReason::TraceSizeExceeded, None);
            return Err(ApiError::new(403, json!({ "error": "403 Forbidden" })));
        }
        let secrets = self.log_secrets(id);
        let log = self.log(id);
        if log.locked {
            return Err(ApiError::new(409, json!({ "message": "409 Conflict" })));
        }
        if log.size() == start {
            log.append_without(body, &secrets);
            self.touch_job(now, id);
        }
        let stored = self.log(id).size();
        if stored == end {
            Ok(TraceAnswer {
                job_status: self.status(id).unwrap_or(protocol::JobStatus::Running),
                stored,
                interval_s: self.trace_interval(now, id),
            })
        } else {
            let body = json!({ "error": "416 Range Not Satisfiable" });
            Err(ApiError {
                range: Some(stored),
                ..ApiError::new(416, body)
            })
        }
    }

    /// Touches a job, if its last change is older than 15 min.
    pub(in crate::world) fn touch_job(&mut self, now: Timestamp, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id)
            && seconds_between(job.updated_at, now) > TOUCH_AFTER_S
        {
            job.updated_at = now;
        }
    }

    /// The log of a job, made when it is first needed.
    pub(in crate::world) fn log(&mut self, id: JobId) -> &mut super::JobLog {
        self.logs.entry(id).or_default()
    }

    fn trace_interval(&self, now: Timestamp, id: JobId) -> u32 {
        let watched = self
            .logs
            .get(&id)
            .and_then(|log| log.watched_until)
            .is_some_and(|until| now < until);
        if watched {
            self.settings.trace_interval_watched_s
        } else {
            self.settings.trace_interval_s
        }
    }

    /// The job token and the project's registration token: neither is ever stored in a log.
    fn log_secrets(&self, id: JobId) -> Vec<crate::world::Text> {
        let Some(job) = self.jobs.get(&id) else {
            return Vec::new();
        };
        let token = job.run.as_ref().map(|run| run.token.clone());
        let registration = self
            .projects
            .get(&job.project)
            .map(|project| project.registration_token.clone());
        token.into_iter().chain(registration).collect()
    }
}
