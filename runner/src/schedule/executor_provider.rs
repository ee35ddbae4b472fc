use std::fmt;

use protocol::{Features, JobPayload};

use crate::config::RunnerConfig;
use crate::executor::Executor;
use crate::executor::shell::{ShellExecutor, ShellOptions, Watchdog};
use crate::host::Host;

/// What an executor can do, as the server is told (wire.md 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorInfo {
    /// `info.features`.
    pub features: Features,
    /// Shell when the entry names none.
    pub default_shell: &'static str,
}

/// A job that wants an executor.
#[derive(Clone, Copy, Debug)]
pub struct ExecutorRequest<'a> {
    /// The entry.
    pub entry: &'a RunnerConfig,
    /// The job.
    pub payload: &'a JobPayload,
    /// The machine.
    pub host: &'a Host,
}

/// Makes executors by name.
pub trait ExecutorProvider: Send + Sync + fmt::Debug {
    /// What the executor `name` can do; `None`: there is none of that name here.
    fn info(&self, name: &str) -> Option<ExecutorInfo>;
    /// An executor for one job; `None` for an unknown name.
    fn executor(&self, request: ExecutorRequest<'_>) -> Option<Box<dyn Executor>>;
}

/// The executors of this build: `shell`.
#[derive(Clone, Debug, Default)]
pub struct LocalExecutors {
    /// `--user`: scripts run as this user; empty: as the manager.
    pub user: String,
    /// Kills what is left when the manager dies.
    pub watchdog: Watchdog,
}

impl ExecutorProvider for LocalExecutors {
    fn info(&self, name: &str) -> Option<ExecutorInfo> {
        (name == "shell").then(|| ExecutorInfo {
            features: Features::shell_executor(),
            default_shell: "bash",
        })
    }

    fn executor(&self, request: ExecutorRequest<'_>) -> Option<Box<dyn Executor>> {
        let ExecutorRequest { entry, host, .. } = request;
        (entry.executor == "shell").then(|| {
            let options = ShellOptions {
                shell: entry.shell.clone(),
                builds_dir: entry.builds_dir.clone(),
                cache_dir: entry.cache_dir.clone(),
                user: self.user.clone(),
                working_directory: host.working_directory.clone(),
                runner_command: host.executable.clone(),
            };
            let executor: Box<dyn Executor> =
                Box::new(ShellExecutor::new(options, self.watchdog.clone()));
            executor
        })
    }
}
