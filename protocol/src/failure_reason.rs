//! Failure reasons (wire.md 5.2) and their mapping for servers that do not know one (runner.md 5.4).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($variant:ident = $name:literal,)*) => {
        /// Why a job failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[expect(missing_docs, reason = "each is GitLab's name of the reason")]
        pub enum FailureReason {
            $($variant,)*
        }

        impl FailureReason {
            /// Every reason that this crate knows.
            pub const ALL: &'static [FailureReason] = &[$(FailureReason::$variant),*];

            /// GitLab's name of the reason.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(FailureReason::$variant => $name,)*
                }
            }
        }

        impl FromStr for FailureReason {
            type Err = UnknownFailureReason;

            fn from_str(name: &str) -> Result<Self, UnknownFailureReason> {
                match name {
                    $($name => Ok(FailureReason::$variant),)*
                    _ => Err(UnknownFailureReason),
                }
            }
        }
    };
}

/// A name that is no failure reason; a server stores `unknown_failure` instead (WIRE-UPD-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown failure reason")]
pub struct UnknownFailureReason;

reasons! {
    UnknownFailure = "unknown_failure",
    ScriptFailure = "script_failure",
    ApiFailure = "api_failure",
    StuckOrTimeoutFailure = "stuck_or_timeout_failure",
    RunnerSystemFailure = "runner_system_failure",
    MissingDependencyFailure = "missing_dependency_failure",
    RunnerUnsupported = "runner_unsupported",
    StaleSchedule = "stale_schedule",
    JobExecutionTimeout = "job_execution_timeout",
    ArchivedFailure = "archived_failure",
    UnmetPrerequisites = "unmet_prerequisites",
    SchedulerFailure = "scheduler_failure",
    DataIntegrityFailure = "data_integrity_failure",
    ForwardDeploymentFailure = "forward_deployment_failure",
    UserBlocked = "user_blocked",
    ProjectDeleted = "project_deleted",
    CiQuotaExceeded = "ci_quota_exceeded",
    PipelineLoopDetected = "pipeline_loop_detected",
    NoMatchingRunner = "no_matching_runner",
    TraceSizeExceeded = "trace_size_exceeded",
    BuildsDisabled = "builds_disabled",
    EnvironmentCreationFailure = "environment_creation_failure",
    DeploymentRejected = "deployment_rejected",
    FailedOutdatedDeploymentJob = "failed_outdated_deployment_job",
    JobExecutionServerTimeout = "job_execution_server_timeout",
    StuckPendingWithMatchingRunners = "stuck_pending_with_matching_runners",
    StuckPendingNoMatchingRunners = "stuck_pending_no_matching_runners",
    NoUpdatesRunning = "no_updates_running",
    NoUpdatesCanceling = "no_updates_canceling",
    ServerTimeoutRunning = "server_timeout_running",
    ServerTimeoutCanceling = "server_timeout_canceling",
    RunnerConfigurationError = "runner_configuration_error",
    RunnerExternalDependencyFailure = "runner_external_dependency_failure",
    RunnerInterrupted = "runner_interrupted",
    RunnerProvisioningTimeout = "runner_provisioning_timeout",
    ProtectedEnvironmentFailure = "protected_environment_failure",
    SecretsProviderNotFound = "secrets_provider_not_found",
    IpRestrictionFailure = "ip_restriction_failure",
    JobRouterFailure = "job_router_failure",
    JobTokenExpired = "job_token_expired",
    IdTokenBurnedProjectPath = "id_token_burned_project_path",
    ImagePullFailure = "image_pull_failure",
    JobCanceled = "job_canceled",
}

impl FailureReason {
    /// The reason to send to a server that lists `supported` in `features.failure_reasons`
    /// (runner.md 5.4, RUN-JOB-19).
    #[must_use]
    pub fn mapped_for(self, supported: &[String]) -> FailureReason {
        let always = matches!(
            self,
            FailureReason::ScriptFailure
                | FailureReason::RunnerSystemFailure
                | FailureReason::JobExecutionTimeout
        );
        if always || supported.iter().any(|name| name == self.as_str()) {
            return self;
        }
        match self {
            FailureReason::ImagePullFailure | FailureReason::RunnerExternalDependencyFailure => {
                FailureReason::RunnerSystemFailure
            }
            FailureReason::RunnerConfigurationError => FailureReason::ScriptFailure,
            _ => FailureReason::UnknownFailure,
        }
    }

    /// Whether GitLab's own enum has the reason; `image_pull_failure`, `job_canceled` and
    /// `runner_provisioning_timeout` are not in the list that was read (wire.md 5.2).
    pub fn is_server_reason(self) -> bool {
        !matches!(
            self,
            FailureReason::ImagePullFailure
                | FailureReason::JobCanceled
                | FailureReason::RunnerProvisioningTimeout
        )
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
