//! `POST /jobs/request`: the poll (wire.md 3.7).

use serde::{Deserialize, Serialize};

use crate::info::Info;

/// Body of a poll. `token`, `system_id` and `last_update` are left out when empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRequest {
    /// The runner about itself.
    pub info: Info,
    /// Runner token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// Id of the runner manager (machine).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_id: String,
    /// Newest `X-GitLab-Last-Update` that this client saw (WIRE-REQ-02).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_update: String,
    /// Only with a session server and a capable executor (WIRE-REQ-03).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
}

/// Where a web terminal can reach the job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// URL that ends in 64 hex digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// PEM certificate of the session server.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub certificate: String,
    /// Secret of the session, 64 hex digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub authorization: String,
}
