//! Registration, verify, unregister and token reset (wire.md 3.2-3.6).

use serde::{Deserialize, Deserializer, Serialize};

use crate::field::Field;
use crate::info::Info;
use crate::time::WireTime;

/// `POST /runners` with a registration token (WIRE-REG-01).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegisterRequest {
    /// Shown in GitLab.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Free text for administrators.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub maintenance_note: String,
    /// Comma-separated tags as the runner sends them; an array is taken too and joined (WIRE-REG-05).
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "tag_list"
    )]
    pub tag_list: String,
    /// Takes jobs without tags.
    pub run_untagged: bool,
    /// Cannot be assigned to further projects.
    pub locked: bool,
    /// `not_protected` or `ref_protected`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub access_level: String,
    /// Seconds; 0 = none.
    #[serde(skip_serializing_if = "is_zero")]
    pub maximum_timeout: i64,
    /// Takes no jobs.
    pub paused: bool,
    /// The runner about itself, without executor and shell.
    pub info: Info,
    /// Registration token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
}

/// `POST /user/runners` (wire.md 3.6, WIRE-REG-15). Members that were not sent have GitLab's defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateRunnerRequest {
    /// `instance_type`, `group_type` or `project_type`; required.
    pub runner_type: String,
    /// Required for `group_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<i64>,
    /// Required for `project_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<i64>,
    /// Shown in GitLab.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Free text for administrators.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub maintenance_note: String,
    /// Takes no jobs; off by default.
    pub paused: bool,
    /// Cannot be assigned to further projects; off by default.
    pub locked: bool,
    /// `not_protected` or `ref_protected`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub access_level: String,
    /// Takes jobs without tags; on by default.
    pub run_untagged: bool,
    /// Comma-separated tags; an array is taken too and joined.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "tag_list"
    )]
    pub tag_list: String,
    /// Seconds; 0 = none.
    #[serde(skip_serializing_if = "is_zero")]
    pub maximum_timeout: i64,
}

impl Default for CreateRunnerRequest {
    fn default() -> Self {
        CreateRunnerRequest {
            runner_type: String::new(),
            group_id: None,
            project_id: None,
            description: String::new(),
            maintenance_note: String::new(),
            paused: false,
            locked: false,
            access_level: String::new(),
            run_untagged: true,
            tag_list: String::new(),
            maximum_timeout: 0,
        }
    }
}

/// Answer 201 to a registration and to `POST /user/runners`, and 200 to verify.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerCredentials {
    /// Id of the runner.
    #[serde(default)]
    pub id: i64,
    /// Authentication token.
    #[serde(default)]
    pub token: String,
    /// Absent or null: never (WIRE-REG-14).
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub token_expires_at: Field<WireTime>,
}

/// `POST /runners/verify` (WIRE-REG-06).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifyRequest {
    /// The runner about itself (19.3); absent from older runners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<Info>,
    /// Runner token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// Id of the runner manager.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_id: String,
}

/// `DELETE /runners`, `DELETE /runners/managers` (with `system_id`) and the reset by token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenRequest {
    /// Runner token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// Id of the runner manager, where one is meant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_id: String,
}

/// Answer 201 to a token reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetTokenAnswer {
    /// The new token; the old one is invalid at once.
    #[serde(default)]
    pub token: String,
    /// Absent or null: never.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub token_expires_at: Field<WireTime>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Tags as one comma-separated text or as a list of texts.
fn tag_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    use serde_json::Value;
    let expected =
        || serde::de::Error::custom("a comma-separated text or a list of texts was expected");
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(String::new()),
        Value::String(tags) => Ok(tags),
        Value::Array(tags) => {
            let tags: Option<Vec<&str>> = tags.iter().map(Value::as_str).collect();
            Ok(tags.ok_or_else(expected)?.join(","))
        }
        _ => Err(expected()),
    }
}
