use std::time::Duration;

use http::{Method, StatusCode};
use protocol::{go_json, header, path};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::{ApiClient, Call, CallError, JSON_STEPS};
use super::judge::{describe, is_json};

/// How long the answer to a discovery holds, also a negative one (WIRE-RTR-01).
const KEPT: Duration = Duration::from_hours(1);

/// What the last discovery said.
#[derive(Debug)]
pub(super) struct Discovered {
    at: Instant,
    router: Option<String>,
}

/// Body of a discovery's answer.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Discovery {
    server_url: String,
}

impl ApiClient {
    /// Asks where the job router of this GitLab is, at most once an hour (wire.md 3.9). `None`: there is
    /// none, so jobs are requested directly. `cancel` ends the call at once, and then nothing is kept.
    ///
    /// This runner does not speak to job routers: where there is one, the log says so, and the caller
    /// requests jobs directly all the same, as the official runner does when it cannot reach a router.
    pub async fn job_router(&self, token: &str, cancel: &CancellationToken) -> Option<String> {
        // Held while asking, so that entries that share this client ask once.
        let mut kept = self.discovered.lock().await;
        if let Some(known) = kept.as_ref()
            && known.at.elapsed() < KEPT
        {
            return known.router.clone();
        }
        let router = self.discover(token, cancel).await?;
        *kept = Some(Discovered {
            at: Instant::now(),
            router: router.clone(),
        });
        router
    }

    /// The call itself. Outer `None`: it was cancelled.
    async fn discover(&self, token: &str, cancel: &CancellationToken) -> Option<Option<String>> {
        let ended = self
            .call(Call {
                method: Method::GET,
                path: path::RUNNERS_ROUTER_DISCOVERY.into(),
                body: None,
                accept: true,
                token: Some((header::RUNNER_TOKEN, token)),
                headers: Vec::new(),
                request_id: self.new_request_id(),
                cancel: Some(cancel),
            })
            .await;
        let correlation_id = ended.correlation_id.as_str();
        let answer = match ended.answer {
            Ok(answer) => answer,
            Err(CallError::Cancelled { .. }) => return None,
            Err(error) => {
                let status = error.text(JSON_STEPS, &Method::GET, &ended.url);
                tracing::error!(correlation_id, status, "Discovering Job Router... failed");
                return Some(None);
            }
        };
        self.remember_last_update(&answer);
        if answer.status == StatusCode::OK && is_json(&answer.headers) {
            match go_json::from_slice::<Discovery>(&answer.body) {
                Ok(found) if !found.server_url.is_empty() => {
                    tracing::warn!(
                        correlation_id,
                        job_router_url = found.server_url,
                        "This runner does not speak to job routers; jobs are requested directly"
                    );
                    return Some(Some(found.server_url));
                }
                Ok(_) => {}
                Err(error) => {
                    let status = format!("decoding json payload {error}");
                    tracing::error!(correlation_id, status, "Discovering Job Router... failed");
                    return Some(None);
                }
            }
        }
        let status = describe(
            &Method::GET,
            &ended.url,
            answer.status,
            &answer.headers,
            &answer.body,
        );
        let message = match answer.status {
            StatusCode::NOT_IMPLEMENTED => "Discovering Job Router... not configured/enabled",
            StatusCode::FORBIDDEN => "Discovering Job Router... forbidden",
            _ => "Discovering Job Router... failed",
        };
        tracing::error!(correlation_id, status, "{message}");
        Some(None)
    }
}
