use http::Method;
use protocol::{JobStatus, JobUpdate, header, path};

use super::call::{Answer, ApiClient, Body, Call, JSON_STEPS};
use super::interval::{IntervalIssue, parse_interval};
use super::judge::describe;
use super::outcome::{JobCredentials, UpdateOutcome, UpdateResult};
use super::redirect::Secret;
use crate::logging;

impl ApiClient {
    /// Tells the server about a job (wire.md 5). The token of `job` goes into body and header.
    pub async fn update_job(&self, job: &JobCredentials, mut update: JobUpdate) -> UpdateOutcome {
        update.token.clone_from(&job.token);
        let request_id = self.new_request_id();
        let (bytesize, checksum) = (update.output.bytesize, update.output.checksum.clone());
        tracing::info!(
            bytesize,
            checksum,
            correlation_id = request_id,
            job = job.id,
            "Updating job..."
        );
        let ended = self
            .call(Call {
                method: Method::PUT,
                path: path::job(job.id).into(),
                body: Body::json(&update, Secret::Recorded),
                accept: false,
                token: Some((header::JOB_TOKEN, &job.token)),
                headers: Vec::new(),
                request_id,
                cancel: None,
            })
            .await;
        let correlation_id = ended.correlation_id;
        let answer = match ended.answer {
            Ok(answer) => answer,
            Err(error) => {
                let status = error.text(JSON_STEPS, &Method::PUT, &ended.url);
                tracing::warn!(
                    bytesize,
                    checksum,
                    code = -1,
                    correlation_id,
                    job = job.id,
                    "job-status" = "",
                    status,
                    "update-interval" = logging::duration(std::time::Duration::ZERO),
                    "Submitting job to coordinator... failed"
                );
                return UpdateOutcome {
                    result: UpdateResult::Failed,
                    canceling: false,
                    job_status: None,
                    interval: None,
                    status: -1,
                    correlation_id,
                };
            }
        };
        self.remember_last_update(&answer);
        let interval = answer_interval(
            &answer,
            job.id,
            &correlation_id,
            Some((bytesize, &checksum)),
        );
        let job_status = answer.header(header::JOB_STATUS);
        let (result, message, warn) = judge(answer.status.as_u16(), job_status);
        let status = warn.then(|| {
            describe(
                &Method::PUT,
                &ended.url,
                answer.status,
                &answer.headers,
                &answer.body,
            )
        });
        macro_rules! record {
            ($level:ident) => {
                tracing::$level!(
                    bytesize,
                    checksum,
                    code = answer.status.as_u16(),
                    correlation_id,
                    job = job.id,
                    "job-status" = job_status,
                    status,
                    "update-interval" = logging::duration(interval.unwrap_or_default()),
                    "{}",
                    message
                )
            };
        }
        if warn {
            record!(warn);
        } else {
            record!(info);
        }
        UpdateOutcome {
            result,
            canceling: job_status == "canceling",
            job_status: job_status.parse::<JobStatus>().ok(),
            interval,
            status: i32::from(answer.status.as_u16()),
            correlation_id,
        }
    }
}

/// Reads an answer in the order of wire.md 5.4, with the record's message and whether it is a warning.
fn judge(status: u16, job_status: &str) -> (UpdateResult, &'static str, bool) {
    match (status, job_status) {
        (403, _) | (_, "canceled" | "failed") => (
            UpdateResult::Abort,
            "Submitting job to coordinator... job failed",
            true,
        ),
        (200, _) => (
            UpdateResult::Succeeded,
            "Submitting job to coordinator...ok",
            false,
        ),
        (202, _) => (
            UpdateResult::AcceptedButNotCompleted,
            "Submitting job to coordinator...accepted, but not yet completed",
            false,
        ),
        (412, _) => (
            UpdateResult::TraceValidationFailed,
            "Submitting job to coordinator...trace validation failed",
            false,
        ),
        (404, _) => (
            UpdateResult::Abort,
            "Submitting job to coordinator... not found",
            true,
        ),
        _ => (
            UpdateResult::Failed,
            "Submitting job to coordinator... failed",
            true,
        ),
    }
}

/// The interval that an answer asks for; a value that is no number gets a warning.
pub(super) fn answer_interval(
    answer: &Answer,
    job: i64,
    correlation_id: &str,
    output: Option<(u64, &str)>,
) -> Option<std::time::Duration> {
    let value = answer.header(header::X_GITLAB_TRACE_UPDATE_INTERVAL);
    if value.is_empty() {
        return None;
    }
    match parse_interval(value) {
        Ok(interval) => Some(interval),
        Err(IntervalIssue::Ignored) => None,
        Err(IntervalIssue::Unparsable) => {
            tracing::warn!(
                bytesize = output.map(|(bytesize, _)| bytesize),
                checksum = output.map(|(_, checksum)| checksum),
                correlation_id,
                error = super::interval::not_an_integer(value),
                "header-value" = value,
                job,
                "Failed to parse \"X-GitLab-Trace-Update-Interval\" header"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves WIRE-UPD-08.
    ///
    /// Goal: the table of wire.md 5.4, first match first.
    #[test]
    fn answers_to_updates() {
        use UpdateResult::{
            Abort, AcceptedButNotCompleted, Failed, Succeeded, TraceValidationFailed,
        };
        for (status, job_status, expected) in [
            (200, "running", Succeeded),
            (200, "success", Succeeded),
            (200, "canceling", Succeeded),
            (200, "canceled", Abort),
            (200, "failed", Abort),
            (202, "failed", Abort),
            (202, "running", AcceptedButNotCompleted),
            (403, "", Abort),
            (403, "success", Abort),
            (404, "", Abort),
            (412, "running", TraceValidationFailed),
            (412, "canceled", Abort),
            (201, "running", Failed),
            (204, "running", Failed),
            (302, "", Failed),
            (400, "running", Failed),
            (401, "", Failed),
            (409, "", Failed),
            (500, "", Failed),
        ] {
            assert_eq!(
                judge(status, job_status).0,
                expected,
                "{status} {job_status}"
            );
        }
    }
}
