//! The command `run` around a [`Manager`]: the machine's clock, signals and files.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::manager::{Manager, ManagerOptions, SpoolKind};
use super::{ExitReason, FileConfig, HttpTransports, LocalExecutors, Signal};
use crate::clock::SystemClock;
use crate::config::system_id;
use crate::executor::shell::Watchdog;
use crate::host::{self, Host};
use crate::logging::{self, Log};
use crate::random::Random;

/// What the command line says.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// `--config`.
    pub config: PathBuf,
    /// `--working-directory`; `None`: the current one.
    pub working_directory: Option<PathBuf>,
    /// `--user`; empty: jobs run as the manager.
    pub user: String,
    /// The process log.
    pub log: Log,
}

/// Runs the manager until a stop signal; gives the exit code (runner.md 4.5).
pub fn run_command(options: RunOptions) -> u8 {
    tracing::info!(
        builds = 0,
        max_builds = 0,
        "Starting multi-runner from {}...",
        options.config.display()
    );
    if nix::unistd::Uid::effective().is_root() {
        tracing::info!("Running in system-mode.");
    } else {
        tracing::warn!("Running in user-mode.");
        tracing::warn!("Use sudo for system-mode:");
        tracing::warn!("$ sudo gitlab-runner...");
    }
    tracing::info!("");
    let reason = match start(options) {
        Ok(reason) => reason,
        Err(text) => ExitReason::Failed(text),
    };
    match &reason {
        ExitReason::Finished => {}
        ExitReason::NoConcurrency => {
            print!(
                "Current configuration 'concurrent = 0' means that no jobs will be processed, see https://docs.gitlab.com/runner/configuration/advanced-configuration.html#the-global-section"
            );
            let text = "172 <nil>";
            tracing::error!(target: logging::FATAL, builds = 0, max_builds = 0, "{text}");
        }
        failed => {
            tracing::error!(target: logging::FATAL, error = failed.to_string(), "Service run failed");
        }
    }
    reason.code()
}

fn start(options: RunOptions) -> Result<ExitReason, String> {
    let RunOptions {
        config,
        working_directory,
        user,
        log,
    } = options;
    if let Some(directory) = &working_directory {
        std::env::set_current_dir(directory)
            .map_err(|error| format!("chdir {}: {error}", directory.display()))?;
    }
    let here = std::env::current_dir().map_err(|error| format!("working directory: {error}"))?;
    let executable = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let random = Random::from_os();
    let system_id = system_id::load_or_create(&config, &random)
        .map_err(|error| format!("{}: {error}", system_id::path(&config).display()))?;
    let host = Host {
        hostname: hostname::get()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        platform: host::platform(),
        architecture: host::architecture(),
        working_directory: here,
        executable,
        system_id,
    };
    let certificates = config.parent().map(|folder| folder.join("certs"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("tokio runtime: {error}"))?;
    runtime.block_on(async {
        let (sender, signals) = mpsc::channel(16);
        forward_signals(&sender)?;
        let manager = Manager::new(
            ManagerOptions {
                config: Arc::new(FileConfig::new(config)),
                transports: Arc::new(HttpTransports {
                    certificate_directory: certificates,
                }),
                executors: Arc::new(LocalExecutors {
                    user,
                    watchdog: Watchdog::new(),
                }),
                clock: Arc::new(SystemClock),
                random,
                host,
                spool: SpoolKind::File,
                log,
            },
            signals,
        );
        Ok(manager.run().await)
    })
}

/// Feeds the process's signals to the manager.
fn forward_signals(sender: &mpsc::Sender<Signal>) -> Result<(), String> {
    for (kind, what) in [
        (SignalKind::quit(), Signal::Quit),
        (SignalKind::terminate(), Signal::Terminate),
        (SignalKind::interrupt(), Signal::Interrupt),
        (SignalKind::hangup(), Signal::Hangup),
    ] {
        let mut stream = signal(kind).map_err(|error| format!("signal handler: {error}"))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if sender.send(what).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}
