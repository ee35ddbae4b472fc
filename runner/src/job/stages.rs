//! The stages of a job in their order (runner.md 5.1).

use protocol::job_payload::{PolicyOptions, Step};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::environment::git_tls_files;
use super::flags::{Flag, Flags};
use super::request::{JobFailure, JobRun};
use super::run::{Ready, failure};
use super::stop::{Cause, Phase, PhaseCell, Stop, limited};
use super::timeouts::ScriptLimits;
use crate::executor::{ExecutorError, Stage, StageCommand};
use crate::git::GitContext;
use crate::shell::{ConfigHooks, RunnerIdentity, ScriptContext, plain_work, stage_script};

/// Name of the step that runs after the others, whatever happened to them.
const AFTER_SCRIPT: &str = "after_script";

/// Line of the process log about a job whose files may be left.
const NOT_CLEANED: &str = "Error while executing file based variables removal script";

/// Runs the stages of one job.
pub(super) struct Stages<'a> {
    pub(super) job: &'a mut JobRun,
    pub(super) ready: &'a mut Ready,
    pub(super) flags: &'a Flags,
    /// Stops everything.
    pub(super) stop: &'a Stop,
    /// Stops the user's scripts.
    pub(super) script_stop: &'a Stop,
    pub(super) phase: &'a PhaseCell,
    /// End of the job's time.
    pub(super) deadline: Instant,
}

impl Stages<'_> {
    /// All stages, in order.
    pub(super) async fn run(&mut self) -> Result<(), JobFailure> {
        let result = self.in_order().await;
        // The stage that cleans up cannot run any more; those who look after the machine must know.
        let error = match self.stop.cause() {
            None | Some(Cause::GetSourcesTimeout(_)) => return result,
            Some(cause) if cause.is_timeout() => "context deadline exceeded",
            Some(_) => "context canceled",
        };
        tracing::warn!(error, "{NOT_CLEANED}");
        result
    }

    async fn in_order(&mut self) -> Result<(), JobFailure> {
        let stop = self.stop;
        let prepared = self.stage(&Stage::PrepareScript, None, stop).await;
        self.not_stopped()?;
        if let Err(error) = prepared {
            return Err(JobFailure {
                message: format!(
                    "prepare environment: {error}. Check \
                     https://docs.gitlab.com/runner/shells/#shell-profile-loading for more information"
                ),
                ..failure(&error)
            });
        }

        let before = self.before_script().await;
        self.not_stopped()?;
        let mut result = before.map_err(|error| failure(&error));
        if result.is_ok() {
            result = self.scripts().await?;
        } else {
            self.set_status("failed");
        }

        let success = result.is_ok();
        let (cache, upload) = if success {
            (Stage::ArchiveCache, Stage::UploadArtifactsOnSuccess)
        } else {
            (
                Stage::ArchiveCacheOnFailure,
                Stage::UploadArtifactsOnFailure,
            )
        };
        let cached = self.stage(&cache, None, stop).await;
        self.not_stopped()?;
        let uploaded = self.stage(&upload, None, stop).await;
        self.not_stopped()?;
        if let Err(error) = self.stage(&Stage::CleanupFileVariables, None, stop).await {
            tracing::warn!(%error, "{NOT_CLEANED}");
        }
        self.not_stopped()?;
        result?;
        cached.map_err(|error| failure(&error))?;
        uploaded.map_err(|error| failure(&error))
    }

    /// An error if the whole job was stopped.
    fn not_stopped(&self) -> Result<(), JobFailure> {
        match self.stop.cause() {
            Some(cause) => Err(cause.failure()),
            None => Ok(()),
        }
    }

    fn set_status(&mut self, status: &str) {
        self.ready.set_variable("CI_JOB_STATUS", status);
    }

    /// Sources, caches and artifacts.
    async fn before_script(&mut self) -> Result<(), ExecutorError> {
        let attempts = self.ready.settings.attempts;
        let (stop, limit) = (self.stop, self.ready.get_sources_limit);
        limited(
            limit,
            || stop.stop(Cause::GetSourcesTimeout(limit.unwrap_or_default())),
            self.attempts(&Stage::GetSources, attempts.get_sources),
        )
        .await?;
        self.attempts(&Stage::RestoreCache, attempts.restore_cache)
            .await?;
        self.attempts(&Stage::DownloadArtifacts, attempts.artifact_download)
            .await
    }

    /// Tries a stage again after a failure, with longer and longer waits.
    async fn attempts(&mut self, stage: &Stage, attempts: u32) -> Result<(), ExecutorError> {
        let stop = self.stop;
        let mut backoff = Backoff::new(self.flags.is_on(Flag::UseExponentialBackoffStageRetry));
        let mut attempt = 1;
        loop {
            let result = self.stage(stage, None, stop).await;
            let Err(error) = &result else { return result };
            if attempt >= attempts || stop.is_stopped() {
                return result;
            }
            attempt += 1;
            self.job.log.attempt_failed("Retrying...", error);
            tokio::select! {
                biased;
                () = stop.token().cancelled() => return result,
                () = tokio::time::sleep(backoff.next()) => {}
            }
            if *stage == Stage::GetSources && attempt == 2 {
                // A failure here shows in the attempt that follows.
                let _ = self.stage(&Stage::ClearWorktree, None, stop).await;
            }
        }
    }

    /// The user's scripts and after_script. The inner result is the job's so far, the outer one an end
    /// of the whole job.
    async fn scripts(&mut self) -> Result<Result<(), JobFailure>, JobFailure> {
        let limits = self.script_limits();
        self.phase.set(Phase::Script);
        self.policy_lines();
        let script_stop = self.script_stop;
        let ran = limited(
            limits.script,
            || script_stop.stop(Cause::ScriptTimeout),
            self.steps(),
        )
        .await;
        self.phase.set(Phase::After);
        if let Some(cause) = self.stop.cause() {
            if !cause.is_timeout() && self.ready.settings.after_script_ignore_errors {
                self.after_script_failed(&"context canceled");
            }
            return Err(cause.failure());
        }
        let (mut result, status) = match (script_stop.cause(), ran) {
            (Some(cause), _) => {
                let status = if *cause == Cause::Cancel {
                    self.job
                        .log
                        .warningln("script canceled externally (UI, API)");
                    "canceled"
                } else {
                    "timedout"
                };
                (Err(cause.failure()), status)
            }
            (None, Ok(())) => (Ok(()), "success"),
            (None, Err(error)) => (Err(failure(&error)), "failed"),
        };
        self.set_status(status);

        let after_stop = Stop::below(self.stop);
        let after = limited(
            limits.after_script,
            || after_stop.stop(Cause::ScriptTimeout),
            self.after_script(&after_stop),
        )
        .await;
        if let Some(cause) = self.stop.cause() {
            if let Err(error) = after
                && !cause.is_timeout()
                && self.ready.settings.after_script_ignore_errors
            {
                self.after_script_failed(&error);
            }
            return Err(cause.failure());
        }
        if let Err(error) = after {
            if self.ready.settings.after_script_ignore_errors {
                self.after_script_failed(&error);
            } else if result.is_ok() {
                result = Err(failure(&error));
            }
        }
        Ok(result)
    }

    fn after_script_failed(&self, error: &dyn std::fmt::Display) {
        self.job.log.warningln(&format!(
            "after_script failed, but job will continue unaffected: {error}"
        ));
    }

    fn script_limits(&self) -> ScriptLimits {
        let variables = self.ready.variables();
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        let mut warnings = Vec::new();
        let limits = ScriptLimits::read(|name| variables.get(name), remaining, &mut warnings);
        for warning in warnings {
            self.job.log.warningln(&warning);
        }
        limits
    }

    /// Lines for a job that an execution policy made.
    fn policy_lines(&self) {
        let options: PolicyOptions = self.job.payload.policy_options.get();
        if !options.execution_policy_job.get() {
            return;
        }
        let log = &self.job.log;
        log.infoln(&format!(
            "Job triggered by policy \"{}\".",
            options.policy_name.as_str()
        ));
        let Some(allowed) = options.policy_variables_override_allowed.as_ref() else {
            return;
        };
        let treated = if *allowed { "allowed" } else { "ignored" };
        let exceptions = options.policy_variables_override_exceptions.get();
        let except = if exceptions.is_empty() {
            String::new()
        } else {
            format!(" (except for {})", exceptions.join(", "))
        };
        log.infoln(&format!(
            "User-defined CI/CD variables are {treated} in this job{except} according to the policy."
        ));
    }

    /// All steps but after_script, until one fails.
    async fn steps(&mut self) -> Result<(), ExecutorError> {
        let payload = std::sync::Arc::clone(&self.job.payload);
        for step in payload.steps.as_slice() {
            let name = step.name.as_str();
            if name == AFTER_SCRIPT {
                continue;
            }
            let stage = Stage::Step(name.to_lowercase());
            self.stage(&stage, Some(step), self.script_stop).await?;
        }
        Ok(())
    }

    async fn after_script(&mut self, until: &Stop) -> Result<(), ExecutorError> {
        let payload = std::sync::Arc::clone(&self.job.payload);
        let mut steps = payload.steps.as_slice().iter();
        match steps.find(|step| step.name.as_str() == AFTER_SCRIPT) {
            Some(step) => self.stage(&Stage::AfterScript, Some(step), until).await,
            None => Ok(()),
        }
    }

    /// Runs one stage, in its section. One with nothing to do leaves no trace (RUN-JOB-02).
    async fn stage(
        &mut self,
        stage: &Stage,
        step: Option<&Step>,
        until: &Stop,
    ) -> Result<(), ExecutorError> {
        if until.is_stopped() {
            return Err(ExecutorError::stopped());
        }
        let Some(command) = self.command(stage, step)? else {
            return Ok(());
        };
        let log = std::sync::Arc::clone(&self.job.log);
        let name = stage.name();
        log.section_start(&name);
        log.title(&stage.title());
        let output = log.stage_output();
        let result = self
            .job
            .executor
            .run(command, output, log.as_ref(), until.token())
            .await;
        log.section_end(&name);
        let cause = until.cause().or(self.stop.cause());
        if until.is_stopped() && cause.is_some_and(Cause::is_timeout) {
            log.warningln(&format!(
                "{name} could not run to completion because the timeout was exceeded. For more control \
                 over job and script timeouts see: \
                 https://docs.gitlab.com/ci/runners/configure_runners/#set-script-and-after_script-timeouts"
            ));
        }
        result
    }

    /// A stage with its script, made from the variables as they are now. `None`: there is nothing to do.
    fn command(
        &self,
        stage: &Stage,
        step: Option<&Step>,
    ) -> Result<Option<StageCommand>, ExecutorError> {
        let (job, ready) = (&*self.job, &*self.ready);
        let (config, environment) = (&job.config, &ready.environment);
        let variables = ready.variables();
        let git_info = job.payload.git_info.get();
        let project_path = variables.get("CI_PROJECT_PATH");
        let context = ScriptContext {
            payload: &job.payload,
            variables,
            git: GitContext {
                info: &git_info,
                settings: &ready.settings,
                flags: self.flags,
                directories: &ready.directories,
                runner_url: &config.url,
                clone_url: &config.clone_url,
                project_path: &project_path,
                token: job.payload.token.as_str(),
                correlation_id: &job.correlation_id,
                shared_environment: environment.shared_environment,
                safe_directory: config
                    .safe_directory_checkout
                    .unwrap_or(environment.safe_directory),
                clean_config: config
                    .clean_git_config
                    .unwrap_or(environment.clean_git_config),
                tls_files: git_tls_files(&job.tls, &ready.directories),
            },
            hooks: ConfigHooks {
                pre_get_sources: &config.pre_get_sources_script,
                post_get_sources: &config.post_get_sources_script,
                pre_build: &config.pre_build_script,
                post_build: &config.post_build_script,
            },
            shell: &environment.shell,
            runner_command: &environment.runner_command,
            runner: RunnerIdentity {
                id: config.id,
                name: &config.name,
                executor: job.executor.name(),
            },
            via: &environment.via,
            manager_host: &job.host.hostname,
        };
        let script = stage_script(stage, step, &context)
            .map_err(|error| ExecutorError::system(error.to_string()))?;
        Ok(script.map(|script| StageCommand {
            stage: stage.clone(),
            script,
            plain: plain_work(stage, &context),
        }))
    }
}
