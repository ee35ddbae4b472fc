//! The configuration in force, and the clients of its entries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use protocol::info::ConfigInfo;
use protocol::{Features, Info, JobRequest};
use tracing::Span;

use super::options::ManagerOptions;
use super::serving::labels;
use super::sessions::Offers;
use crate::client::{ApiClient, ClientSetupError, Poll};
use crate::config::{Config, RunnerConfig};
use crate::host;
use crate::job::{Flag, JobConfig};
use crate::logging::runner_span;
use crate::metrics::{EntryLabels, Metrics};
use crate::schedule::{Entry, Plan, TransportTarget};
use crate::session::Sessions;

/// What belongs to one entry: its settings, and what the server is told about it.
#[derive(Debug)]
pub(super) struct EntryData {
    pub(super) config: Arc<RunnerConfig>,
    pub(super) info: Info,
    /// Its poll, made once.
    pub(super) poll: Poll,
    /// Its polls with sessions, if its jobs can have a web terminal.
    pub(super) offers: Option<Offers>,
    /// Carries the fields of its records.
    pub(super) span: Span,
    /// Labels of its metrics.
    pub(super) labels: EntryLabels,
    client: OnceLock<Arc<ApiClient>>,
}

/// What makes two entries share a client (wire.md 1.1).
type ClientKey = (TransportTarget, String);

/// The clients, by what makes them the same.
#[derive(Debug, Default)]
pub(super) struct Clients {
    by_key: BTreeMap<ClientKey, Arc<ApiClient>>,
}

impl Clients {
    /// The client of an entry.
    ///
    /// Asked once for each entry and load of the configuration; then the entry knows it.
    pub(super) fn get(
        &mut self,
        data: &EntryData,
        connection_max_age: Duration,
        options: &ManagerOptions,
        metrics: &Metrics,
    ) -> Result<Arc<ApiClient>, ClientSetupError> {
        if let Some(client) = data.client.get() {
            return Ok(Arc::clone(client));
        }
        let client = self.find(&data.config, connection_max_age, options, metrics)?;
        Ok(Arc::clone(data.client.get_or_init(|| client)))
    }

    pub(super) fn find(
        &mut self,
        entry: &RunnerConfig,
        connection_max_age: Duration,
        options: &ManagerOptions,
        metrics: &Metrics,
    ) -> Result<Arc<ApiClient>, ClientSetupError> {
        let key = key(entry, connection_max_age);
        if let Some(client) = self.by_key.get(&key) {
            return Ok(Arc::clone(client));
        }
        let transport = options
            .transports
            .transport(&key.0)
            .map_err(|error| ClientSetupError {
                message: error.to_string(),
            })?;
        let client = ApiClient::new(
            &entry.url,
            transport,
            options.random.clone(),
            Arc::clone(&options.clock),
        )?;
        let observer = metrics.observer(labels(&entry.token, &entry.name, &options.host.system_id));
        let client = Arc::new(client.observed_by(observer));
        self.by_key.insert(key, Arc::clone(&client));
        Ok(client)
    }

    /// Forgets clients of entries that are gone, or that have another way to their server by now.
    pub(super) fn retain(&mut self, config: &Config) {
        let age = config.connection_max_age();
        let entries = config.runners().iter();
        let used: BTreeSet<ClientKey> = entries.map(|entry| key(entry, age)).collect();
        self.by_key.retain(|key, _| used.contains(key));
    }
}

fn key(entry: &RunnerConfig, connection_max_age: Duration) -> ClientKey {
    let target = TransportTarget {
        url: entry.url.clone(),
        tls_ca_file: entry.tls_ca_file.clone(),
        tls_cert_file: entry.tls_cert_file.clone(),
        tls_key_file: entry.tls_key_file.clone(),
        connection_max_age,
    };
    (target, entry.token.clone())
}

/// The configuration as scheduling sees it. `sessions`: where web terminals come in, if they do.
pub(super) fn plan(
    config: &Config,
    options: &ManagerOptions,
    sessions: Option<&Sessions>,
) -> Plan<EntryData> {
    let entries = config.runners().iter().map(|runner| {
        let executor = options.executors.info(&runner.executor);
        let (features, default_shell) =
            executor.as_ref().map_or((Features::always(), ""), |info| {
                (info.features, info.default_shell)
            });
        let info = info(runner, features, default_shell);
        let request = JobRequest {
            info: info.clone(),
            token: runner.token.clone(),
            system_id: options.host.system_id.clone(),
            ..JobRequest::default()
        };
        let data = EntryData {
            config: Arc::new(runner.clone()),
            offers: sessions
                .filter(|_| info.features.session)
                .map(|sessions| Offers::new(sessions.clone(), request.clone())),
            poll: Poll::new(request),
            info,
            span: runner_span(protocol::token::short(&runner.token), &runner.name),
            labels: labels(&runner.token, &runner.name, &options.host.system_id),
            client: OnceLock::new(),
        };
        Entry {
            limit: runner.limit,
            request_concurrency: runner.request_concurrency,
            adaptive: is_adaptive(runner),
            strict_check_interval: runner.strict_check_interval,
            unhealthy_requests_limit: runner.unhealthy_requests_limit,
            unhealthy_interval: runner.unhealthy_interval,
            executor_known: executor.is_some(),
            ..Entry::new(&runner.url, &runner.token, data)
        }
    });
    Plan {
        concurrent: usize::try_from(config.concurrent()).unwrap_or(0),
        check_interval: Some(config.check_interval()),
        entries: entries.collect(),
    }
}

/// Whether a feature flag that is about the entry, not about a job, is on.
pub(super) fn flag(runner: &RunnerConfig, flag: Flag) -> bool {
    let set = runner.feature_flags.get(flag.name());
    set.copied().unwrap_or(flag.default_value())
}

pub(super) fn is_adaptive(runner: &RunnerConfig) -> bool {
    flag(runner, Flag::UseAdaptiveRequestConcurrency)
}

fn info(runner: &RunnerConfig, features: Features, default_shell: &str) -> Info {
    let shell = if runner.shell.is_empty() {
        default_shell
    } else {
        &runner.shell
    };
    Info {
        name: host::NAME.to_owned(),
        version: host::VERSION.to_owned(),
        revision: host::REVISION.to_owned(),
        platform: host::platform().to_owned(),
        architecture: host::architecture().to_owned(),
        executor: runner.executor.clone(),
        shell: shell.to_owned(),
        features,
        config: ConfigInfo {
            gpus: runner.gpus.clone(),
        },
        labels: runner.labels.clone(),
    }
}

/// What of an entry concerns a job.
pub(super) fn job_config(runner: &RunnerConfig) -> JobConfig {
    JobConfig {
        id: runner.id,
        name: runner.name.clone(),
        url: runner.url.clone(),
        token: runner.token.clone(),
        builds_dir: runner.builds_dir.clone(),
        cache_dir: runner.cache_dir.clone(),
        clone_url: runner.clone_url.clone(),
        environment: runner.environment.clone(),
        pre_get_sources_script: runner.pre_get_sources_script.clone(),
        post_get_sources_script: runner.post_get_sources_script.clone(),
        pre_build_script: runner.pre_build_script.clone(),
        post_build_script: runner.post_build_script.clone(),
        feature_flags: runner.feature_flags.clone(),
        prepare_timeout: runner.prepare_timeout,
        get_sources_timeout: runner.get_sources_timeout,
        debug_trace_disabled: runner.debug_trace_disabled,
        safe_directory_checkout: runner.safe_directory_checkout,
        clean_git_config: runner.clean_git_config,
        custom_build_dir: runner.custom_build_dir,
    }
}
