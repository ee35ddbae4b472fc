//! The commands `run` and `run-single` around a [`Manager`] and a [`Single`]: the machine's clock, signals and files.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::manager::{Manager, ManagerOptions, Single, SingleLimits, SpoolKind};
use super::{
    ConfigSource, ExitReason, FileConfig, HttpTransports, LocalExecutors, MemoryConfig, Signal,
};
use crate::clock::SystemClock;
use crate::config::{Config, system_id};
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
    /// `--listen-address`; `None`: the configuration's.
    pub listen_address: Option<String>,
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
            // It has no end of line, and stands before the record.
            let _ = std::io::stdout().flush();
            let text = "172 <nil>";
            tracing::error!(target: logging::FATAL, builds = 0, max_builds = 0, "{text}");
        }
        ExitReason::RunFailed(error) => {
            tracing::error!(error, "Exiting non-zero after run failure");
        }
        ExitReason::NoListener { error, max_builds } => {
            tracing::error!(target: logging::FATAL, builds = 0, error, max_builds, "Failed to create listener for metrics server");
        }
        ExitReason::NoSessionServer(error) => {
            tracing::error!(target: logging::FATAL, builds = 0, error, "Failed to create session server");
        }
        failed => {
            tracing::error!(target: logging::FATAL, error = failed.to_string(), "Service run failed");
        }
    }
    reason.code()
}

/// What `run-single` is told.
#[derive(Debug)]
pub struct SingleOptions {
    /// A configuration with one entry.
    pub config: Config,
    /// Where the certificate directory stands, if a file was given.
    pub config_path: Option<PathBuf>,
    /// The id beside that file; `None`: one is made, and kept nowhere.
    pub system_id: Option<String>,
    /// When it ends by itself.
    pub limits: SingleLimits,
    /// The process log.
    pub log: Log,
}

/// Runs jobs of one entry, one at a time (runner.md 2.4); an error is the text of a fatal record.
pub fn run_single(options: SingleOptions) -> Result<(), String> {
    let random = Random::from_os();
    let system_id = options
        .system_id
        .unwrap_or_else(|| system_id::generate(&random));
    let certificates = options
        .config_path
        .as_deref()
        .and_then(Path::parent)
        .map(|folder| folder.join("certs"));
    let runtime = runtime()?;
    let reason = runtime.block_on(async {
        let (sender, signals) = mpsc::channel(16);
        forward_signals(&sender)?;
        let source = Arc::new(MemoryConfig::new(""));
        let machine = Machine {
            random,
            system_id,
            certificates,
            user: String::new(),
        };
        let manager_options = machine.options(source, options.log)?;
        let single = Single::new(manager_options, options.config, options.limits, signals);
        Ok::<_, String>(single.run().await)
    })?;
    match reason {
        ExitReason::Finished => Ok(()),
        failed => Err(failed.to_string()),
    }
}

/// What both commands know of the machine.
struct Machine {
    random: Random,
    system_id: String,
    certificates: Option<PathBuf>,
    user: String,
}

impl Machine {
    fn options(self, config: Arc<dyn ConfigSource>, log: Log) -> Result<ManagerOptions, String> {
        let here =
            std::env::current_dir().map_err(|error| format!("working directory: {error}"))?;
        let executable = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
        Ok(ManagerOptions {
            config,
            transports: Arc::new(HttpTransports {
                certificate_directory: self.certificates,
            }),
            executors: Arc::new(LocalExecutors {
                user: self.user,
                watchdog: Watchdog::new(),
            }),
            clock: Arc::new(SystemClock),
            random: self.random,
            host: Host {
                hostname: hostname::get()
                    .map(|name| name.to_string_lossy().into_owned())
                    .unwrap_or_default(),
                platform: host::platform(),
                architecture: host::architecture(),
                working_directory: here,
                executable,
                system_id: self.system_id,
            },
            spool: SpoolKind::File,
            log,
        })
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("tokio runtime: {error}"))
}

fn start(options: RunOptions) -> Result<ExitReason, String> {
    let RunOptions {
        config,
        working_directory,
        user,
        listen_address,
        log,
    } = options;
    if let Some(directory) = &working_directory {
        std::env::set_current_dir(directory)
            .map_err(|error| format!("chdir {}: {error}", directory.display()))?;
    }
    let random = Random::from_os();
    let system_id = system_id::load_or_create(&config, &random)
        .map_err(|error| format!("{}: {error}", system_id::path(&config).display()))?;
    let machine = Machine {
        random,
        system_id,
        certificates: config.parent().map(|folder| folder.join("certs")),
        user,
    };
    runtime()?.block_on(async {
        let (sender, signals) = mpsc::channel(16);
        forward_signals(&sender)?;
        let options = machine.options(Arc::new(FileConfig::new(config)), log)?;
        let manager = Manager::new(options, signals).serving(listen_address);
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
