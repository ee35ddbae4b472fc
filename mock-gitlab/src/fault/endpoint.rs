//! Which call a request is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::world::JobId;

/// Kinds of calls, by what runners do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /jobs/request`.
    Poll,
    /// `PATCH /jobs/:id/trace`.
    Patch,
    /// `PUT /jobs/:id`.
    Update,
    /// `POST /runners`.
    Register,
    /// `POST /runners/verify`.
    Verify,
    /// `DELETE /runners`.
    Unregister,
    /// `DELETE /runners/managers`.
    UnregisterManager,
    /// `POST /runners/reset_authentication_token`, also by id.
    ResetToken,
    /// `GET /runners/router/discovery`.
    Discovery,
    /// `POST /jobs/:id/artifacts` and its `authorize`.
    Upload,
    /// `GET /jobs/:id/artifacts`.
    Download,
    /// Everything else below `/api/v4`: the API of users.
    Other,
    /// Everything outside of `/api/v4`: repositories, stored artifacts.
    Git,
}

impl Endpoint {
    /// Name, as in rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Endpoint::Poll => "poll",
            Endpoint::Patch => "patch",
            Endpoint::Update => "update",
            Endpoint::Register => "register",
            Endpoint::Verify => "verify",
            Endpoint::Unregister => "unregister",
            Endpoint::UnregisterManager => "unregister_manager",
            Endpoint::ResetToken => "reset_token",
            Endpoint::Discovery => "discovery",
            Endpoint::Upload => "upload",
            Endpoint::Download => "download",
            Endpoint::Other => "other",
            Endpoint::Git => "git",
        }
    }

    /// Whether the body of the call holds the token of a runner.
    pub(super) fn has_runner_token(self) -> bool {
        matches!(
            self,
            Endpoint::Poll
                | Endpoint::Verify
                | Endpoint::Unregister
                | Endpoint::UnregisterManager
                | Endpoint::ResetToken
        )
    }
}

/// A call: its kind, and the job in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Kind.
    pub endpoint: Endpoint,
    /// Job.
    pub job: Option<JobId>,
}

impl Call {
    /// Sorts a request by method and path. The mock's own API (`/api/mock/v1`) is no call: it never
    /// fails on purpose, so that faults can always be taken back.
    pub fn of(method: &str, path: &str) -> Option<Call> {
        if path.starts_with("/api/mock/") {
            return None;
        }
        let Some(api) = path.strip_prefix(protocol::path::API_V4) else {
            return Some(Call {
                endpoint: Endpoint::Git,
                job: None,
            });
        };
        if let Some(rest) = api.strip_prefix("jobs/") {
            let (id, tail) = rest.split_once('/').unwrap_or((rest, ""));
            if let Ok(job) = id.parse() {
                let endpoint = match (method, tail) {
                    ("PATCH", "trace") => Endpoint::Patch,
                    ("PUT", "") => Endpoint::Update,
                    ("POST", "artifacts" | "artifacts/authorize") => Endpoint::Upload,
                    ("GET", "artifacts") => Endpoint::Download,
                    _ => Endpoint::Other,
                };
                return Some(Call {
                    endpoint,
                    job: Some(job),
                });
            }
        }
        let reset = api.starts_with("runners/") && api.ends_with("reset_authentication_token");
        let endpoint = match (method, api) {
            ("POST", protocol::path::JOBS_REQUEST) => Endpoint::Poll,
            ("POST", protocol::path::RUNNERS) => Endpoint::Register,
            ("POST", protocol::path::RUNNERS_VERIFY) => Endpoint::Verify,
            ("DELETE", protocol::path::RUNNERS) => Endpoint::Unregister,
            ("DELETE", protocol::path::RUNNERS_MANAGERS) => Endpoint::UnregisterManager,
            ("GET", "runners/router/discovery") => Endpoint::Discovery,
            ("POST", _) if reset => Endpoint::ResetToken,
            _ => Endpoint::Other,
        };
        Some(Call {
            endpoint,
            job: None,
        })
    }
}
