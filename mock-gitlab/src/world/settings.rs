//! Instance-wide settings and feature flags.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Feature flags of GitLab that change what the runner API does. All are off by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Instance runners take the lowest id instead of the fair order (queueing.md 4, QUE-V30).
    CiQueueingDisasterRecoveryDisableFairScheduling,
    /// Two-phase assignment (queueing.md 8, QUE-V31).
    AllowRunnerJobAcknowledgement,
    /// Running jobs without an update are dropped after 30 min instead of 1 h (queueing.md 9).
    CiLowerStuckBuildTimeouts,
    /// No lease per examined job (queueing.md 5 step 2 speaks of it as a flag that is on; this one
    /// turns it off).
    CiRegisterJobTemporaryLockDisabled,
}

/// Settings of the instance.
///
/// `Default` gives what a fresh self-managed GitLab has, except what would get between a test and its
/// subject: rate limits and automatic sweeps are off. [`Settings::self_managed`] has them on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// URL that users and runners see, without trailing slash; goes into payloads.
    pub external_url: String,
    /// Version that the server reports.
    pub version: String,
    /// Revision that the server reports.
    pub revision: String,
    /// Feature flags that are on.
    pub flags: BTreeSet<Flag>,
    /// Whether registration tokens may be used at all (WIRE-REG-03; 410 when not).
    pub allow_registration_tokens: bool,
    /// Life of a new runner authentication token, s; `None` = no expiry.
    pub runner_token_expiration_interval_s: Option<i64>,
    /// Life of the `last_update` value, s (queueing.md 7).
    pub last_update_ttl_s: i64,
    /// How long a poll with the current `last_update` value is held, s; 0 = not at all (queueing.md 7).
    pub api_ci_long_polling_duration_s: u64,
    /// Most log bytes per job, MiB; 0 = no limit (wire.md 4.3 step 5).
    pub ci_jobs_trace_size_limit_mib: u64,
    /// Trace update interval while somebody watches, s (WIRE-TRC-20).
    pub trace_interval_watched_s: u32,
    /// Trace update interval otherwise, s.
    pub trace_interval_s: u32,
    /// Incremental logging: final updates are answered 202 until the log is persisted (wire.md 5.3).
    pub incremental_logging: bool,
    /// With incremental logging: time until the chunks of a log are persisted once that was scheduled, s.
    pub trace_persist_delay_s: i64,
    /// Polls per minute and runner token; 0 = off (WIRE-LIM-01). GitLab's own default is 2000.
    pub runner_jobs_request_api_limit: u32,
    /// Trace patches per minute and job token; 0 = off. GitLab's own default is 200.
    pub runner_jobs_patch_trace_api_limit: u32,
    /// Other job calls per minute and job token; 0 = off. GitLab's own default is 200.
    pub runner_jobs_endpoints_api_limit: u32,
    /// Every runner endpoint answers 429 "Executing database migrations" (WIRE-REQ-09).
    pub migrations_running: bool,
    /// Jobs created longer ago than this are archived, s; `None` = never (queueing.md 6).
    pub archive_builds_older_than_s: Option<i64>,
    /// Artifacts may be uploaded (405 otherwise).
    pub artifacts_enabled: bool,
    /// Artifacts are said to be in object storage: direct downloads are redirected (wire.md 6.3).
    pub artifacts_object_storage: bool,
    /// Largest artifact, MiB (wire.md 6.1).
    pub max_artifacts_size_mib: u64,
    /// Life of artifacts without `expire_in`, s; `None` = no expiry.
    pub default_artifacts_expire_in_s: Option<i64>,
    /// Default timeout of projects, s (queueing.md 9).
    pub default_project_timeout_s: i64,
    /// URL of the job router; `None`: discovery answers 501 (WIRE-RTR-02).
    pub job_router_url: Option<String>,
    /// Host and port of the container registry in payload credentials; `None` = no registry.
    pub registry: Option<String>,
    /// Runs the sweeps of queueing.md 9 on their hourly schedule by itself. Off here, so that tests own
    /// the time; the server process turns it on.
    pub automatic_sweeps: bool,
    /// Most events kept until they are taken; 0 = no events at all. The oldest are dropped.
    pub event_capacity: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            external_url: "http://gitlab.example.com".to_owned(),
            version: "19.4.0".to_owned(),
            revision: "mock".to_owned(),
            flags: BTreeSet::new(),
            allow_registration_tokens: true,
            runner_token_expiration_interval_s: None,
            last_update_ttl_s: 3600,
            api_ci_long_polling_duration_s: 0,
            ci_jobs_trace_size_limit_mib: 100,
            trace_interval_watched_s: 3,
            trace_interval_s: 60,
            incremental_logging: false,
            trace_persist_delay_s: 1,
            runner_jobs_request_api_limit: 0,
            runner_jobs_patch_trace_api_limit: 0,
            runner_jobs_endpoints_api_limit: 0,
            migrations_running: false,
            archive_builds_older_than_s: None,
            artifacts_enabled: true,
            artifacts_object_storage: false,
            max_artifacts_size_mib: 100,
            default_artifacts_expire_in_s: Some(30 * 86_400),
            default_project_timeout_s: 3600,
            job_router_url: None,
            registry: None,
            automatic_sweeps: false,
            event_capacity: 65_536,
        }
    }
}

impl Settings {
    /// What a fresh self-managed GitLab has, rate limits and sweeps included.
    pub fn self_managed() -> Settings {
        Settings {
            runner_jobs_request_api_limit: 2000,
            runner_jobs_patch_trace_api_limit: 200,
            runner_jobs_endpoints_api_limit: 200,
            automatic_sweeps: true,
            ..Settings::default()
        }
    }

    /// Whether `flag` is on.
    pub fn flag(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }
}
