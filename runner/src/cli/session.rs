//! What every command needs.

use std::path::Path;
use std::sync::Arc;

use protocol::{Features, Info};

use super::Failure;
use super::options::Given;
use super::questions;
use crate::client::{ApiClient, ReqwestTransport, TlsFiles, TransportOptions};
use crate::clock::SystemClock;
use crate::config::{Config, RunnerConfig};
use crate::host;
use crate::logging::{self, Format, Level, Log};
use crate::random::Random;

/// Level and format as the command line says (RUN-CLI-04).
pub(super) fn set_up_log(given: &Given, log: &Log) -> Result<(), Failure> {
    let failed = |error: String| {
        log.fix(None, Some(Format::TextSeconds));
        Failure::FatalError("Error while setting up logging configuration", error)
    };
    let mut level = match given.given_text("log-level") {
        Some(text) => Some(
            text.parse::<Level>()
                .map_err(|error| failed(format!("failed to parse log level: {error}")))?,
        ),
        None => None,
    };
    if given.switch("debug") {
        level = Some(Level::Debug);
    }
    let format = match given.given_text("log-format") {
        Some(text) => Some(
            text.parse::<Format>()
                .map_err(|error| failed(error.to_string()))?,
        ),
        None => None,
    };
    log.fix(level, format);
    Ok(())
}

/// Whether the process is root's, and what it says about that. `hint`: how to start a runner by hand.
pub(super) fn say_mode(hint: bool) {
    if nix::unistd::Uid::effective().is_root() {
        tracing::info!("Running in system-mode.");
    } else {
        tracing::warn!("Running in user-mode.");
        if hint && cfg!(target_os = "linux") {
            tracing::warn!("The user-mode requires you to manually start builds processing:");
            tracing::warn!("$ gitlab-runner run");
        }
        tracing::warn!("Use sudo for system-mode:");
        tracing::warn!("$ sudo gitlab-runner...");
    }
    tracing::info!("");
}

/// A runtime for a command that makes a few requests.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::FatalError("Failed to start the runtime", error.to_string()))?;
    Ok(runtime.block_on(future))
}

/// The file, and the id beside it, which every command that loads the file creates (runner.md 3.1).
pub(super) fn load(path: &Path) -> Result<(Config, String), String> {
    let config = Config::load(path).map_err(|error| error.to_string())?;
    config.say_schema_problems();
    let random = Random::from_os();
    let system_id = crate::config::system_id::load_or_create(path, &random)
        .map_err(|error| format!("loading system ID file: {error}"))?;
    Ok((config, system_id))
}

/// A client for an entry.
pub(super) fn client(entry: &RunnerConfig, config: &Path) -> Result<ApiClient, String> {
    let tls = TlsFiles {
        ca: entry.tls_ca_file.clone(),
        cert: entry.tls_cert_file.clone(),
        key: entry.tls_key_file.clone(),
        directory: config.parent().map(|folder| folder.join("certs")),
    };
    let transport = ReqwestTransport::new(TransportOptions::for_url(&entry.url, tls));
    ApiClient::new(
        &entry.url,
        Arc::new(transport),
        Random::from_os(),
        Arc::new(SystemClock),
    )
    .map_err(|error| error.to_string())
}

/// The runner about itself: with all it can do once the executor is known.
pub(super) fn info(executor: &str, shell: &str) -> Info {
    let known = executor == "shell";
    // The default of every executor on Linux (recording `register-forms`).
    let shell = match shell {
        "" if questions::EXECUTORS.contains(&executor) => "bash",
        shell => shell,
    };
    Info {
        name: host::NAME.to_owned(),
        version: host::VERSION.to_owned(),
        revision: host::REVISION.to_owned(),
        platform: host::platform().to_owned(),
        architecture: host::architecture().to_owned(),
        executor: executor.to_owned(),
        shell: shell.to_owned(),
        features: match shell {
            _ if known => Features::shell_executor(),
            "" => Features::always(),
            // A known shell counts even when the executor is not known (recording `lint-errors`).
            _ => Features::always().with_shell(),
        },
        ..Info::default()
    }
}

/// The span of records about an entry.
pub(super) fn span(entry: &RunnerConfig) -> tracing::Span {
    logging::runner_span(protocol::token::short(&entry.token), &entry.name)
}

/// Saves the file.
pub(super) fn save(config: &Config, path: &Path) -> Result<(), Failure> {
    config
        .save(path)
        .map_err(|error| Failure::Fatal(format!("Failed to update {} {error}", path.display())))
}
