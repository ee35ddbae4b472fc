use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{ExecutorError, PlainWork, Stage, StageOutput, Terminal};
use crate::client::transport::BoxFuture;

/// Lines of the manager in a job's log, for executors.
pub trait ManagerLines: Send + Sync {
    /// A plain line.
    fn println(&self, text: &str);
    /// A green line.
    fn infoln(&self, text: &str);
    /// A yellow line that begins with `WARNING: `.
    fn warningln(&self, text: &str);
    /// A red line that begins with `ERROR: `.
    fn errorln(&self, text: &str);
}

/// What the scripts of a job must know of the place where they run (runner.md 7.1, 10.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Where builds stand; `None`: known only after preparation.
    pub builds_dir: Option<String>,
    /// Where local caches stand; `None`: known only after preparation.
    pub cache_dir: Option<String>,
    /// Whether builds of several runners and jobs share the builds directory.
    pub shared_builds_dir: bool,
    /// Whether several jobs share the environment (`CI_SHARED_ENVIRONMENT`), instead of one job owning it.
    pub shared_environment: bool,
    /// Whether `GIT_CLONE_PATH` may be used when the configuration says nothing.
    pub custom_build_dir: bool,
    /// Whether git's configuration is cleaned when the configuration says nothing.
    pub clean_git_config: bool,
    /// Whether the project directory is declared safe when the configuration says nothing.
    pub safe_directory: bool,
    /// `bash` or `sh`: whose scripts the stages are.
    pub shell: String,
    /// Helper commands are called by this name or path.
    pub runner_command: String,
    /// Where the job runs `via`, if not on the manager itself.
    pub via: String,
    /// Image of the job (`CI_JOB_IMAGE`), for executors with images.
    pub image: Option<String>,
}

/// One stage to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageCommand {
    /// The stage.
    pub stage: Stage,
    /// Its script, for the shell of the environment.
    pub script: String,
    /// What the script comes to, if it is next to nothing; an executor need not know it.
    pub plain: Option<PlainWork>,
}

/// Runs the stages of one job.
///
/// The job calls `prepare` (up to three times, with `cleanup` after each failure, which makes the
/// executor as good as new), then `run` for each stage, one at a time, then `finish` and `cleanup`,
/// which come also after a failure.
pub trait Executor: Send + fmt::Debug {
    /// Name as in `Preparing the "shell" executor`.
    fn name(&self) -> &'static str;

    /// The place where scripts run.
    fn environment(&self) -> Environment;

    /// Prepares the place. A [`super::ErrorKind::Classified`] failure is not tried again (RUN-JOB-06).
    fn prepare<'a>(
        &'a mut self,
        lines: &'a dyn ManagerLines,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), ExecutorError>>;

    /// Runs one stage. When `cancel` is cancelled the stage is stopped, and this returns as soon as it
    /// has ended, with whatever it ended with.
    fn run<'a>(
        &'a mut self,
        command: StageCommand,
        output: StageOutput,
        lines: &'a dyn ManagerLines,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), ExecutorError>>;

    /// Terminals beside a prepared job; `None`: there are none.
    fn terminal(&self) -> Option<Arc<dyn Terminal>> {
        None
    }

    /// The stages are over, however they ended.
    fn finish(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Removes what the job left in the place.
    fn cleanup(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
