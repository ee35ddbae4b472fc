//! Registration, verify, unregister and token reset (wire.md 3.2-3.6).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::field::Field;
use crate::info::Info;

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
    /// Comma-separated tags as the runner sends them; a server also takes an array.
    #[serde(skip_serializing_if = "String::is_empty")]
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
    pub token_expires_at: Field<Timestamp>,
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
    pub token_expires_at: Field<Timestamp>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &i64) -> bool {
    *value == 0
}
