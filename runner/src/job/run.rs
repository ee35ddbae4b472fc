//! The whole life of a job (runner.md 5.1).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use protocol::FailureReason;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::environment::{self, VariableInput};
use super::flags::{Flag, Flags};
use super::inputs::Interpolations;
use super::request::{JobFailure, JobOutcome, JobRun};
use super::settings::Settings;
use super::stages::Stages;
use super::stop::{Cause, Phase, PhaseCell, Stop, limited};
use super::variables::{JobVariable, Variables};
use super::{Directories, go_duration, terminal, timeouts};
use crate::executor::{Environment, ErrorKind, ExecutorError};
use crate::host;

/// Attempts to prepare, and the wait after each failed one (RUN-JOB-06).
const PREPARE_ATTEMPTS: u32 = 3;
const PREPARE_WAIT: Duration = Duration::from_secs(3);
/// How long a stage may take to end after the job was told to stop.
const STUCK: Duration = Duration::from_mins(5);

/// Runs a job from its header lines to its result line.
///
/// Nothing here talks to the server: delivery of the log and the final update are the caller's. The
/// executor has been told to finish and to clean up when this returns.
pub async fn run(mut job: JobRun) -> JobOutcome {
    let phase = PhaseCell::default();
    let mut inputs = Interpolations::default();
    let timeout = timeouts::job_timeout(job.payload.runner_info.get().timeout.get());
    let deadline = Instant::now() + timeout;
    let outcome = live(&mut job, &phase, &mut inputs, timeout, deadline).await;
    if let Some(session) = job.session.take() {
        terminal::wait(session, &job.signals, job.log.as_ref(), deadline).await;
    }
    job.executor.finish().await;
    job.executor.cleanup().await;
    match &outcome {
        Ok(()) => job.log.result_success("Job succeeded"),
        Err(failure) if failure.reason == FailureReason::RunnerSystemFailure => job
            .log
            .result_failure(&format!("Job failed (system failure): {}", failure.message)),
        Err(failure) => job
            .log
            .result_failure(&format!("Job failed: {}", failure.message)),
    }
    JobOutcome {
        failure: outcome.err(),
        reached_script: phase.get() != Phase::Before,
        inputs,
    }
}

/// A failure of the executor as a failure of the job.
pub(super) fn failure(error: &ExecutorError) -> JobFailure {
    let reason = match error.kind {
        ErrorKind::Script => FailureReason::ScriptFailure,
        ErrorKind::Classified(reason) => reason,
        ErrorKind::System => FailureReason::RunnerSystemFailure,
        ErrorKind::Stopped => FailureReason::JobCanceled,
    };
    JobFailure {
        message: error.message.clone(),
        reason,
        exit_code: error.exit_code,
    }
}

/// Everything up to the result line. Inputs that cannot be expanded leave no header, as the official
/// runner does it.
async fn live(
    job: &mut JobRun,
    phase: &PhaseCell,
    inputs: &mut Interpolations,
    timeout: Duration,
    deadline: Instant,
) -> Result<(), JobFailure> {
    let mut warnings = Vec::new();
    let flags = environment::flags(&job.payload, &job.config, &mut warnings);
    if flags.is_on(Flag::EnableJobInputsInterpolation) && !job.payload.inputs.as_slice().is_empty()
    {
        // Only here is the payload changed; without inputs nothing is copied.
        *inputs = super::inputs::expand(Arc::make_mut(&mut job.payload));
        if let Some(error) = &inputs.failure {
            return Err(JobFailure {
                message: error.message.clone(),
                reason: FailureReason::RunnerConfigurationError,
                exit_code: 0,
            });
        }
    }
    header(job, &flags);
    let secrets = super::secrets::resolve(&job.payload, job.log.as_ref())?;

    let stop = Stop::default();
    let script_stop = Stop::below(&stop);
    let signals = job.signals.clone();
    let log = Arc::clone(&job.log);
    let watch = async {
        let cause = tokio::select! {
            biased;
            signal = signals.interrupt.raised() => Cause::Interrupt(signal),
            () = signals.abort.cancelled() => Cause::Abort,
            cause = cancelled(&signals.cancel, phase, &script_stop) => cause,
            () = tokio::time::sleep_until(deadline) => Cause::JobTimeout(timeout),
            () = stop.token().cancelled() => Cause::Abort,
        };
        // A cause that came first, such as `prepare_timeout`, stays.
        stop.stop(cause);
        tokio::time::sleep(STUCK).await;
    };
    let work = async {
        let plan = Plan {
            flags,
            secrets,
            timeout,
        };
        let mut ready = prepare(job, &plan, warnings, &stop).await?;
        if let Some(session) = &job.session
            && let Some(terminal) = job.executor.terminal()
        {
            session.session().set_terminal(terminal);
        }
        let mut stages = Stages {
            job,
            ready: &mut ready,
            flags: &plan.flags,
            stop: &stop,
            script_stop: &script_stop,
            phase,
            deadline,
        };
        stages.run().await
    };
    tokio::select! {
        biased;
        () = watch => {
            log.warningln("Timed out waiting for the build to finish");
            Err(stop.cause().unwrap_or(&Cause::Abort).failure())
        }
        result = work => result,
    }
}

/// Waits for a graceful cancel that stops the whole job. One that comes later stops the script, or
/// nothing.
async fn cancelled(cancel: &CancellationToken, phase: &PhaseCell, script: &Stop) -> Cause {
    cancel.cancelled().await;
    match phase.get() {
        Phase::Before => return Cause::Cancel,
        Phase::Script => script.stop(Cause::Cancel),
        Phase::After => {}
    }
    std::future::pending().await
}

/// The first lines of every log (runner.md 9.2).
fn header(job: &JobRun, flags: &Flags) {
    let log = job.log.as_ref();
    log.println(&format!(
        "Running with {} {} ({})",
        host::NAME,
        host::VERSION,
        host::REVISION
    ));
    log.println(&format!(
        "  on {} {}, system ID: {}",
        job.config.name,
        protocol::token::short(&job.config.token),
        job.host.system_id
    ));
    if let Some(changed) = flags.changed() {
        log.println(&format!("  feature flags: {changed}"));
    }
}

/// What is known before the environment is.
struct Plan {
    flags: Flags,
    secrets: Vec<JobVariable>,
    timeout: Duration,
}

/// What stages need, once the environment is prepared.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) environment: Environment,
    pub(super) directories: Directories,
    variables: Variables,
    /// `variables` expanded, once somebody wanted them.
    expanded: OnceLock<Variables>,
    pub(super) settings: Settings,
    pub(super) get_sources_limit: Option<Duration>,
}

impl Ready {
    /// The variables as they are now, expanded.
    pub(super) fn variables(&self) -> &Variables {
        self.expanded.get_or_init(|| self.variables.expanded())
    }

    /// Sets a variable of the runner's own.
    pub(super) fn set_variable(&mut self, key: &str, value: &str) {
        self.variables.set_internal(key, value);
        self.expanded = OnceLock::new();
    }
}

impl Plan {
    /// Works out variables, settings and directories for `environment`.
    fn ready(
        &self,
        job: &JobRun,
        environment: Environment,
        warnings: &mut Vec<String>,
    ) -> Result<Ready, ExecutorError> {
        let input = VariableInput {
            payload: &job.payload,
            config: &job.config,
            flags: &self.flags,
            environment: &environment,
            ids: job.ids,
            tls: &job.tls,
            timeout_seconds: self.timeout.as_secs(),
            secrets: &self.secrets,
        };
        let read = |variables: &Variables, warnings: &mut Vec<String>| {
            Settings::read(
                |name| variables.get(name),
                job.payload.allow_git_fetch.get(),
                job.config.debug_trace_disabled,
                warnings,
            )
        };
        // The strategy and `GIT_CLONE_PATH` decide on the directories, which are variables too.
        let mut directories = Directories {
            builds: environment.builds_dir.clone().unwrap_or_default(),
            ..Directories::default()
        };
        let variables = environment::variables(&input, &directories).expanded();
        let settings = read(&variables, warnings);
        directories = environment::directories(&input, &settings, &variables)?;
        let variables = environment::variables(&input, &directories);
        let expanded = variables.expanded();
        let settings = read(&expanded, &mut Vec::new());
        Ok(Ready {
            directories,
            variables,
            expanded: expanded.into(),
            settings,
            environment,
            get_sources_limit: None,
        })
    }
}

impl Plan {
    /// [`Plan::ready`] without its warnings; what is known already stays while the environment does.
    fn ready_again(
        &self,
        job: &JobRun,
        environment: Environment,
        known: Option<Ready>,
    ) -> Result<Ready, ExecutorError> {
        match known {
            Some(ready) if ready.environment == environment => Ok(ready),
            _ => self.ready(job, environment, &mut Vec::new()),
        }
    }
}

/// The section `prepare_executor`, with its time limit.
async fn prepare(
    job: &mut JobRun,
    plan: &Plan,
    flag_warnings: Vec<String>,
    stop: &Stop,
) -> Result<Ready, JobFailure> {
    let log = Arc::clone(&job.log);
    let mut warnings = Vec::new();
    // Directories may not be known yet, so an error here need not mean anything.
    let environment = job.executor.environment();
    let early = plan.ready(job, environment, &mut warnings).ok();
    warnings.extend(flag_warnings);
    let limit = |name, configured, warnings: &mut Vec<String>| {
        timeouts::stage_limit(name, configured, plan.timeout, warnings)
    };
    let prepare_limit = limit("prepare", job.config.prepare_timeout, &mut warnings);
    let get_sources_limit = limit("get sources", job.config.get_sources_timeout, &mut warnings);
    if !warnings.is_empty() {
        log.warningln(&warnings.join("\n"));
    }

    log.section_start("prepare_executor");
    log.title(&format!(
        "Preparing the \"{}\" executor",
        job.executor.name()
    ));
    let prepared = limited(
        prepare_limit,
        || stop.stop(Cause::PrepareTimeout(prepare_limit.unwrap_or_default())),
        prepare_attempts(job, plan, stop, early),
    )
    .await;
    log.section_end("prepare_executor");
    match (stop.cause(), prepared) {
        (Some(cause), _) => Err(cause.failure()),
        (None, Err(error)) => Err(failure(&error)),
        (None, Ok(ready)) => Ok(Ready {
            get_sources_limit,
            ..ready
        }),
    }
}

/// Up to three attempts to prepare (RUN-JOB-06). `known` was worked out before the first.
async fn prepare_attempts(
    job: &mut JobRun,
    plan: &Plan,
    stop: &Stop,
    mut known: Option<Ready>,
) -> Result<Ready, ExecutorError> {
    let log = Arc::clone(&job.log);
    let mut last = ExecutorError::stopped();
    for _ in 0..PREPARE_ATTEMPTS {
        let environment = job.executor.environment();
        if environment.builds_dir.is_some() {
            // Directories that are not allowed must not be prepared.
            known = Some(plan.ready_again(job, environment, known)?);
        }
        let prepared = job.executor.prepare(log.as_ref(), stop.token()).await;
        if prepared.is_err() {
            // The next attempt must find nothing of this one (EXE-GEN-03).
            job.executor.cleanup().await;
        }
        match prepared {
            Ok(()) => {
                let environment = job.executor.environment();
                return plan.ready_again(job, environment, known);
            }
            Err(error) if error.kind != ErrorKind::System || stop.is_stopped() => {
                return Err(error);
            }
            Err(error) => last = error,
        }
        log.errorln(&format!("Preparation failed: {last}"));
        log.infoln(&format!(
            "Will be retried in {} ...",
            go_duration::format(PREPARE_WAIT)
        ));
        tokio::select! {
            biased;
            () = stop.token().cancelled() => return Err(ExecutorError::stopped()),
            () = tokio::time::sleep(PREPARE_WAIT) => {}
        }
    }
    Err(last)
}
