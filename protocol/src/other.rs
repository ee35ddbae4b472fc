//! Answers of the smaller endpoints (wire.md 3.9, 3.10, 2 row 16, 6.2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Answer 200 to `GET /runners/router/discovery` (wire.md 3.9).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouterDiscovery {
    /// URL with the scheme `grpc`, `grpcs`, `ws` or `wss`.
    pub server_url: String,
}

/// Answer 200 to `GET /jobs/:id/runtime_environment_key` (wire.md 3.10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuntimeEnvironmentKey {
    /// `<runner id>/<system id>/<opaque>`.
    pub runtime_environment_key: String,
}

/// Answer 200 to `GET /internal/ci/agents/runner/info`, asked by KAS only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentRunnerInfo {
    /// Id of the runner whose token was sent.
    pub runner_id: i64,
}

/// Answer 200 to `POST /jobs/:id/artifacts/authorize`, asked by workhorse only (wire.md 6.2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ArtifactsAuthorization {
    /// Folder for the upload; local storage only.
    #[serde(rename = "TempPath", skip_serializing_if = "String::is_empty")]
    pub temp_path: String,
    /// Pre-signed URLs; object storage only.
    #[serde(rename = "RemoteObject", skip_serializing_if = "Option::is_none")]
    pub remote_object: Option<Map<String, Value>>,
    /// Most bytes.
    #[serde(rename = "MaximumSize")]
    pub maximum_size: u64,
    /// Set for the type `lsif`.
    #[serde(rename = "ProcessLsif", skip_serializing_if = "std::ops::Not::not")]
    pub process_lsif: bool,
}
