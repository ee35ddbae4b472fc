use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, StatusCode};
use protocol::{JobPayload, JobRequest, go_json, header, path};
use tokio_util::sync::CancellationToken;

use super::call::{Answer, ApiClient, Body, Call, CallError, JSON_STEPS};
use super::judge::{describe, is_json, status_line};
use super::outcome::{JobCredentials, JobRequestOutcome, JobRequestResult, ReceivedJob};
use super::redirect::Secret;
use crate::git::without_credentials;

/// A poll that is sent again and again. Its body is encoded once for each `last_update`, so that a poll of
/// an idle runner costs no encoding.
#[derive(Debug)]
pub struct Poll {
    request: JobRequest,
    /// The newest body, and the `last_update` in it.
    encoded: Mutex<Option<(Arc<str>, Bytes)>>,
}

impl Poll {
    /// A poll with this body; `last_update` is filled by the client.
    pub fn new(request: JobRequest) -> Poll {
        Poll {
            request,
            encoded: Mutex::new(None),
        }
    }

    fn token(&self) -> &str {
        &self.request.token
    }

    fn body(&self, last_update: &Arc<str>) -> Option<Body> {
        let mut encoded = self.encoded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, bytes)) = &*encoded
            && of == last_update
        {
            return Some(Body::encoded_json(bytes.clone(), Secret::Recorded));
        }
        let request = JobRequest {
            last_update: last_update.as_ref().to_owned(),
            ..self.request.clone()
        };
        let body = Body::json(&request, Secret::Recorded)?;
        *encoded = Some((Arc::clone(last_update), body.bytes.clone()));
        Some(body)
    }
}

impl ApiClient {
    /// Asks for a job (wire.md 3.7). Fills `last_update`. `cancel` ends the call at once, also while it
    /// waits for a retry (WIRE-RTY-06).
    pub async fn request_job(&self, poll: &Poll, cancel: &CancellationToken) -> JobRequestOutcome {
        let ended = self
            .call(Call {
                method: Method::POST,
                path: path::JOBS_REQUEST.into(),
                body: poll.body(&self.last_update()),
                accept: true,
                token: Some((header::RUNNER_TOKEN, poll.token())),
                headers: Vec::new(),
                request_id: self.new_request_id(),
                cancel: Some(cancel),
            })
            .await;
        let id = ended.correlation_id.as_str();
        let result = match &ended.answer {
            Ok(answer) => self.judge_poll(answer, &ended.url, id),
            Err(error) => {
                tracing::warn!(
                    correlation_id = id,
                    status = error.text(JSON_STEPS, &Method::POST, &ended.url),
                    "Checking for jobs... failed"
                );
                match error {
                    CallError::Cancelled { .. } => JobRequestResult::Cancelled,
                    CallError::Transport { .. } => JobRequestResult::Failed,
                }
            }
        };
        JobRequestOutcome {
            result,
            back_pressured: ended.back_pressured,
            correlation_id: ended.correlation_id,
        }
    }

    fn judge_poll(&self, answer: &Answer, url: &str, correlation_id: &str) -> JobRequestResult {
        if answer.status == StatusCode::CREATED {
            return self.decode_job(answer, correlation_id);
        }
        self.remember_last_update(answer);
        if answer.status == StatusCode::NO_CONTENT {
            tracing::debug!(
                correlation_id,
                status = status_line(answer.status),
                "Checking for jobs...no content"
            );
            return JobRequestResult::NoJob;
        }
        let text = describe(
            &Method::POST,
            url,
            answer.status,
            &answer.headers,
            &answer.body,
        );
        match answer.status.as_u16() {
            403 => {
                tracing::error!(
                    correlation_id,
                    status = text,
                    "Checking for jobs... forbidden"
                );
                JobRequestResult::Forbidden
            }
            503 => {
                tracing::error!(
                    correlation_id,
                    status = text,
                    "Checking for jobs... GitLab instance currently unavailable"
                );
                JobRequestResult::Unavailable
            }
            _ => {
                tracing::warn!(correlation_id, status = text, "Checking for jobs... failed");
                JobRequestResult::Failed
            }
        }
    }

    fn decode_job(&self, answer: &Answer, correlation_id: &str) -> JobRequestResult {
        let decoded = if is_json(&answer.headers) {
            go_json::from_slice::<JobPayload>(&answer.body)
                .map_err(|error| format!("decoding json payload {error}"))
        } else {
            Err("the answer is not of type application/json".to_owned())
        };
        match decoded {
            Ok(payload) => {
                self.remember_last_update(answer);
                tracing::info!(
                    correlation_id,
                    job = payload.id.get(),
                    repo_url = without_credentials(&payload.git_info.get().repo_url.get()),
                    "Checking for jobs... received"
                );
                JobRequestResult::Job(Box::new(ReceivedJob {
                    payload,
                    tls: answer.tls_data(),
                }))
            }
            Err(error) => {
                tracing::warn!(
                    correlation_id,
                    status = error,
                    "Checking for jobs... failed"
                );
                JobRequestResult::Undecodable {
                    job: visible_job(&answer.body),
                    error,
                }
            }
        }
    }
}

/// Id and token of a job whose payload cannot be decoded, if they can be seen.
fn visible_job(body: &[u8]) -> Option<JobCredentials> {
    let value: serde_json::Value = serde_json::Deserializer::from_slice(body)
        .into_iter()
        .next()?
        .ok()?;
    let id = value.get("id")?.as_i64().filter(|id| *id > 0)?;
    let token = value.get("token")?.as_str().filter(|t| !t.is_empty())?;
    Some(JobCredentials {
        id,
        token: token.to_owned(),
    })
}
