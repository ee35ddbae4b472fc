//! Boot verification (`[runners.experimental.boot_verify]`, runner.md 3): one small job for each entry
//! that asks for it, before anything is polled.

use std::sync::Arc;
use std::time::Duration;

use protocol::JobPayload;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::imp::Owner;
use super::options::{ManagerOptions, SpoolKind};
use super::polling::Message;
use super::records::job_ended;
use super::state::job_config;
use crate::config::{Config, RunnerConfig};
use crate::job::{self, Interrupt, JobIds, JobRun, JobSignals, JobTls, LogSettings};
use crate::logging::{self, runner_span};
use crate::schedule::{ExecutorRequest, ExitReason, Signal};
use crate::trace::{JobLog, LogOptions, Masks};

/// `timeout` when none is configured.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(5);
/// Id of the first entry's job: far above every real one.
const FIRST_ID: i64 = i64::MAX - 65_534;

/// An entry to verify.
struct Canary {
    config: RunnerConfig,
    /// How long its job may take.
    timeout: Duration,
}

/// The entries that are to be verified.
fn canaries(config: &Config) -> Vec<Canary> {
    let entries = config.runners().iter().zip(config.entries());
    entries
        .filter_map(|(config, section)| {
            let settings = section.table("experimental")?.table("boot_verify")?;
            settings.boolean("enabled").filter(|enabled| *enabled)?;
            let nanos = settings.duration("timeout").unwrap_or_default();
            let timeout = u64::try_from(nanos).ok().filter(|nanos| *nanos > 0);
            Some(Canary {
                config: config.clone(),
                timeout: timeout.map_or(DEFAULT_TIMEOUT, Duration::from_nanos),
            })
        })
        .collect()
}

impl Owner {
    /// Verifies the entries that ask for it; `Some`: the process ends. Until this is over,
    /// `/health/ready` says so (RUN-MON-04).
    pub(super) async fn boot_verify(
        &mut self,
        signals: &mut mpsc::Receiver<Signal>,
        messages: &mut mpsc::UnboundedReceiver<Message>,
    ) -> Option<ExitReason> {
        let canaries = canaries(&self.config);
        if canaries.is_empty() {
            self.metrics.set_ready();
            return None;
        }
        let (builds, max_builds) = (self.builds(), self.max_builds());
        tracing::info!(
            builds,
            max_builds,
            phase = "boot-verify",
            runners = canaries.len(),
            "Running boot-verify canary"
        );
        let begin = Instant::now();
        let options = Arc::clone(&self.options);
        // Boxed: whole jobs would make every future around this one as large.
        let mut verifying = Box::pin(async {
            for (id, canary) in (FIRST_ID..).zip(&canaries) {
                verify(&options, canary, id).await?;
            }
            Ok::<_, String>(())
        });
        let mut signals_open = true;
        let result = loop {
            tokio::select! {
                biased;
                signal = signals.recv(), if signals_open => match signal {
                    None => signals_open = false,
                    Some(Signal::Hangup) => {}
                    Some(signal) => {
                        // Dropping the job kills its processes; there is nothing to wait for.
                        self.signal(signal);
                        self.say_end();
                        return Some(ExitReason::Finished);
                    }
                },
                // Readers of metrics are answered meanwhile.
                Some(message) = messages.recv() => self.message(message),
                result = &mut verifying => break result,
            }
        };
        match result {
            Ok(()) => {
                tracing::info!(
                    builds,
                    duration_s = begin.elapsed().as_secs_f64(),
                    max_builds,
                    phase = "boot-verify",
                    "Boot-verify canary complete"
                );
                self.metrics.set_ready();
                None
            }
            Err(error) => {
                tracing::error!(
                    builds,
                    error,
                    max_builds,
                    "Boot-verify canary failed, draining and exiting"
                );
                self.say_aborted();
                Some(ExitReason::RunFailed(error))
            }
        }
    }
}

/// Runs the job of one entry; an error is its text with the job's log.
async fn verify(options: &ManagerOptions, canary: &Canary, id: i64) -> Result<(), String> {
    let entry = &canary.config;
    let failed = |why: &str| format!("runner \"{}\" boot-verify failed: {why}", entry.name);
    let payload = payload(id, canary.timeout).map_err(|error| failed(&error))?;
    let request = ExecutorRequest {
        entry,
        payload: &payload,
        host: &options.host,
    };
    let Some(executor) = options.executors.executor(request) else {
        return Err(failed(&format!("unknown executor {:?}", entry.executor)));
    };
    let spool = SpoolKind::Memory
        .spool()
        .map_err(|error| failed(&error.to_string()))?;
    let config = job_config(entry);
    let settings = LogSettings::new(&payload, &config);
    let log_options = LogOptions {
        trace_sections: false,
        masks: Masks::new(&settings.phrases, &settings.token_prefixes),
        limit_bytes: entry.output_limit,
        ..LogOptions::default()
    };
    let log = JobLog::new(log_options, Arc::clone(&options.clock), spool);
    let payload = Arc::new(payload);
    let run = JobRun {
        payload: Arc::clone(&payload),
        config,
        host: options.host.clone(),
        ids: JobIds::default(),
        log: Arc::new(log.clone()),
        signals: JobSignals {
            interrupt: Interrupt::new(),
            ..JobSignals::default()
        },
        executor,
        correlation_id: String::new(),
        tls: JobTls::default(),
        session: None,
    };
    let span = runner_span(protocol::token::short(&entry.token), &entry.name);
    let failure = async {
        let span = logging::job_span(&payload);
        async {
            let begin = Instant::now();
            let outcome = job::run(run).await;
            job_ended(outcome.failure.as_ref(), begin.elapsed());
            outcome.failure
        }
        .instrument(span)
        .await
    }
    .instrument(span)
    .await;
    log.close();
    let Some(failure) = failure else {
        return Ok(());
    };
    let size = usize::try_from(log.size()).unwrap_or_default();
    let output = log.read(0, size).unwrap_or_default();
    Err(failed(&format!(
        "build.Run: {}\n--- build output ---\n{}",
        failure.message,
        String::from_utf8_lossy(&output)
    )))
}

/// The job: one command, no sources.
fn payload(id: i64, timeout: Duration) -> Result<JobPayload, String> {
    let payload = json!({
        "id": id,
        "job_info": {"name": "boot-verify"},
        "runner_info": {"timeout": timeout.as_secs().max(1)},
        "variables": [{"key": "GIT_STRATEGY", "value": "none", "public": true, "masked": false}],
        "steps": [{"name": "script", "script": ["echo boot verify"]}],
    });
    protocol::go_json::from_slice(payload.to_string().as_bytes()).map_err(|error| error.to_string())
}
