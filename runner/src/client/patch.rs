use bytes::Bytes;
use http::Method;
use protocol::trace::{ContentRange, resync_offset};
use protocol::{JobStatus, header, path};

use super::call::{ApiClient, Body, Call};
use super::judge::status_line;
use super::outcome::{JobCredentials, PatchOutcome, PatchState};
use super::redirect::Secret;
use super::update::answer_interval;
use crate::logging;

impl ApiClient {
    /// Sends a piece of a job's log that begins at offset `start` (wire.md 4). `content` must not be
    /// empty: such a patch is not sent at all (WIRE-TRC-04).
    pub async fn patch_trace(
        &self,
        job: &JobCredentials,
        content: Bytes,
        start: u64,
        debug_trace: bool,
    ) -> PatchOutcome {
        let end = start + content.len() as u64;
        let range = ContentRange {
            first: start,
            length: content.len() as u64,
        };
        let ended = self
            .call(Call {
                method: Method::PATCH,
                path: path::job_trace(job.id, debug_trace).into(),
                body: Some(Body {
                    content_type: "text/plain",
                    bytes: content,
                    secret: Secret::None,
                }),
                accept: false,
                token: Some((header::JOB_TOKEN, &job.token)),
                headers: vec![(header::CONTENT_RANGE, range.to_string())],
                request_id: self.new_request_id(),
                cancel: None,
            })
            .await;
        let correlation_id = ended.correlation_id;
        let answer = match ended.answer {
            Ok(answer) => answer,
            Err(error) => {
                let steps = "measured raw request: execute raw request";
                tracing::error!(
                    "Appending trace to coordinator... error {}",
                    error.text(steps, &Method::PATCH, &ended.url)
                );
                return PatchOutcome {
                    state: PatchState::Failed,
                    canceling: false,
                    job_status: None,
                    interval: None,
                    status: -1,
                    correlation_id,
                };
            }
        };
        let interval = answer_interval(&answer, job.id, &correlation_id, None);
        let job_status = answer.header(header::JOB_STATUS);
        let stored = answer
            .headers
            .contains_key(header::RANGE)
            .then(|| answer.header(header::RANGE));
        let (state, message) = judge(answer.status.as_u16(), job_status, stored, end);
        macro_rules! record {
            ($level:ident) => {
                tracing::$level!(
                    code = answer.status.as_u16(),
                    correlation_id,
                    job = job.id,
                    "job-log" = stored.unwrap_or_default(),
                    "job-status" = job_status,
                    "sent-log" = %range,
                    status = status_line(answer.status),
                    "update-interval" = logging::duration(interval.unwrap_or_default()),
                    "{}",
                    message
                )
            };
        }
        if matches!(state, PatchState::Stored { .. }) {
            record!(info);
        } else {
            record!(warn);
        }
        PatchOutcome {
            state,
            canceling: job_status == "canceling",
            job_status: job_status.parse::<JobStatus>().ok(),
            interval,
            status: i32::from(answer.status.as_u16()),
            correlation_id,
        }
    }
}

/// Reads an answer in the order of wire.md 4.4, with the record's message.
fn judge(
    status: u16,
    job_status: &str,
    range: Option<&str>,
    end: u64,
) -> (PatchState, &'static str) {
    match (status, job_status) {
        (403, _) | (_, "canceled" | "failed") => (
            PatchState::Abort,
            "Appending trace to coordinator... job failed",
        ),
        (202, _) => (
            PatchState::Stored { end },
            "Appending trace to coordinator...ok",
        ),
        (404, _) => (
            PatchState::NotFound,
            "Appending trace to coordinator... not-found",
        ),
        (416, _) => (
            PatchState::RangeMismatch {
                offset: resync_offset(range),
            },
            "Appending trace to coordinator... range mismatch",
        ),
        _ => (
            PatchState::Failed,
            "Appending trace to coordinator... failed",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves WIRE-TRC-06, WIRE-TRC-07, WIRE-TRC-08.
    ///
    /// Goal: the rules of wire.md 4.4, first match first; ranges as tried there.
    #[test]
    fn answers_to_patches() {
        use PatchState::{Abort, Failed, NotFound, RangeMismatch, Stored};
        let mismatch = |offset| RangeMismatch { offset };
        for (status, job_status, range, expected) in [
            (202, "running", Some("0-3"), Stored { end: 17 }),
            (202, "canceling", None, Stored { end: 17 }),
            (202, "canceled", Some("0-17"), Abort),
            (202, "failed", Some("0-17"), Abort),
            (403, "", None, Abort),
            (404, "failed", None, Abort),
            (404, "running", None, NotFound),
            (416, "", Some("0-7"), mismatch(7)),
            (416, "", Some("bytes=0-7"), mismatch(7)),
            (416, "", Some("9"), mismatch(0)),
            (416, "", Some("0-abc"), mismatch(0)),
            (416, "", Some("0- 4"), mismatch(0)),
            (416, "", Some("0-3-4"), mismatch(0)),
            (416, "", None, mismatch(0)),
            (416, "canceled", Some("0-7"), Abort),
            (200, "running", None, Failed),
            (201, "running", None, Failed),
            (204, "running", None, Failed),
            (302, "", None, Failed),
            (400, "", None, Failed),
            (401, "", None, Failed),
            (409, "", None, Failed),
            (410, "", None, Failed),
            (412, "", None, Failed),
            (500, "", None, Failed),
        ] {
            let seen = judge(status, job_status, range, 17).0;
            assert_eq!(seen, expected, "{status} {job_status} {range:?}");
        }
    }
}
