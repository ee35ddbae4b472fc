//! Records of the process log that belong to starts, loads and ends (runner.md 4.5).

use std::time::Duration;

use protocol::FailureReason;

use super::imp::Owner;
use super::lines;
use super::serving::all_labels;
use crate::job::JobFailure;
use crate::logging;
use crate::schedule::{ExitReason, Signal};

/// Warning about a `url` that ends in `/ci` (RUN-CFG-16).
const LEGACY_CI_SUFFIX: &str = "The runner URL contains a legacy '/ci' suffix.
  This suffix is deprecated and should be removed from the configuration.
  Git submodules may fail to clone with authentication errors if this suffix is present.
  Please update the 'url' field in your config.toml to remove the '/ci' suffix.
  See https://docs.gitlab.com/runner/configuration/advanced-configuration.html#legacy-ci-url-suffix";

/// How a job ended; called within the job's span.
pub(super) fn job_ended(failure: Option<&JobFailure>, duration: Duration) {
    let duration_s = duration.as_secs_f64();
    let Some(failure) = failure else {
        tracing::info!(duration_s, "job-status" = "success", "Job succeeded");
        return;
    };
    let reason = failure.reason.as_str();
    if failure.reason == FailureReason::RunnerSystemFailure {
        tracing::error!(
            duration_s,
            error = failure.message,
            failure_reason = reason,
            "job-status" = "failed",
            "Job failed (system failure): {}",
            failure.message
        );
    } else {
        tracing::warn!(
            duration_s,
            error = failure.message,
            exit_code = failure.exit_code,
            failure_reason = reason,
            "job-status" = "failed",
            "Job failed: {}",
            failure.message
        );
    }
}

impl Owner {
    /// Lines of every load.
    pub(super) fn loaded(&self) {
        let system_id = &self.options.host.system_id;
        self.metrics.loaded(&all_labels(&self.config, system_id));
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::info!(builds, max_builds, "Usage logger disabled");
        tracing::info!(builds, max_builds, "Configuration loaded");
        for runner in self.config.runners() {
            if runner.url.trim_end_matches('/').ends_with("/ci") {
                let short = protocol::token::short(&runner.token);
                tracing::warn!(
                    runner = (!short.is_empty()).then_some(short),
                    runner_name = runner.name,
                    "{LEGACY_CI_SUFFIX}"
                );
            }
            if runner.token.trim().is_empty() {
                tracing::warn!(
                    builds,
                    max_builds,
                    runner = protocol::token::short(&runner.token),
                    runner_name = runner.name,
                    "Runner token is empty or whitespace; this runner will be skipped during job polling. Check the 'token' field in your config.toml for this runner."
                );
            }
        }
        if let Some(text) = lines::long_polling_warning(&self.config) {
            tracing::warn!(builds, max_builds, "{text}");
        }
        self.config.say_idle_keys();
    }

    pub(super) fn say_start(&self) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::info!(builds, max_builds, "Initializing executor providers");
    }

    pub(super) fn say_end(&self) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::info!(builds, max_builds, "All workers stopped.");
        self.say_providers_end();
        tracing::info!(builds, max_builds, "Can exit now!");
    }

    fn say_providers_end(&self) {
        self.say_providers_shut_down();
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::info!(builds, max_builds, "All executor providers shut down.");
    }

    fn say_providers_shut_down(&self) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        let timeout = logging::duration(self.config.shutdown_timeout());
        tracing::info!(
            builds,
            max_builds,
            "shutdown-timeout" = timeout,
            "Shutting down executor providers"
        );
    }

    /// A run that ends because boot verification failed (recording `boot-verify-fails`). It ends as by
    /// SIGINT, before providers can tell that they are gone.
    pub(super) fn say_aborted(&self) {
        self.say_providers_shut_down();
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::warn!(builds, max_builds, "[runWait] run aborted, shutting down");
        self.say_abort(Signal::Interrupt);
    }

    /// Jobs are given up.
    pub(super) fn say_abort(&self, signal: Signal) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::warn!(
            builds,
            max_builds,
            error = format!("received stop signal: {}", signal.name()),
            "Graceful shutdown not finished properly. To gracefully clean up running plugins please use SIGQUIT (ctrl-\\) instead of SIGINT (ctrl-c)"
        );
        tracing::warn!(
            builds,
            max_builds,
            StopSignal = logging::signal(signal.number(), signal.name()),
            "shutdown-timeout" = logging::duration(self.config.shutdown_timeout()),
            "Starting forceful shutdown"
        );
    }

    pub(super) fn say_forced(&self, reason: &ExitReason) {
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::warn!(
            builds,
            max_builds,
            error = reason.to_string(),
            "Forceful shutdown not finished properly"
        );
    }
}
