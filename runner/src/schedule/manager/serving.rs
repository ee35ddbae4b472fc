//! The manager's side of metrics and debug pages (runner.md 13).

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::polling::Message;
use super::state::EntryData;
use crate::config::Config;
use crate::logging;
use crate::metrics::{self, EntryGauges, EntryLabels, ListenAddress, Metrics, Refresh};
use crate::schedule::Scheduler;

/// Whether metrics and debug pages are served, and where.
#[derive(Clone, Debug, Default)]
pub(super) enum Serving {
    /// No socket is opened, whatever the configuration says: for virtual time.
    #[default]
    Off,
    /// At the address of the command line, else at `listen_address`.
    On(Option<String>),
}

/// Labels of an entry.
pub(super) fn labels(token: &str, name: &str, system_id: &str) -> EntryLabels {
    EntryLabels {
        runner: protocol::token::short(token).to_owned(),
        runner_name: name.to_owned(),
        system_id: system_id.to_owned(),
    }
}

/// Labels of all entries.
pub(super) fn all_labels(config: &Config, system_id: &str) -> Vec<EntryLabels> {
    let entries = config.runners().iter();
    entries
        .map(|entry| labels(&entry.token, &entry.name, system_id))
        .collect()
}

/// What the scheduler knows of each entry.
pub(super) fn gauges(scheduler: &Scheduler<EntryData>) -> Vec<EntryGauges> {
    let entries = scheduler.entries().iter();
    entries
        .map(|entry| EntryGauges {
            entry: entry.data.labels.clone(),
            limit: entry.limit,
            requests: scheduler.requests(&entry.token),
            adaptive_limit: scheduler.adaptive_limit(&entry.token),
            hard_limit: entry.request_slots(),
            used_limit: scheduler.request_limit(entry),
        })
        .collect()
}

/// Opens the listener and serves until the answer is dropped. `None`: nothing is served, and the
/// process log says so. An error ends the process.
pub(super) async fn start(
    serving: &Serving,
    configured: &str,
    max_builds: i64,
    metrics: &Metrics,
    manager: &mpsc::UnboundedSender<Message>,
) -> Result<Option<DropGuard>, String> {
    let builds = 0;
    let address = match serving {
        Serving::On(Some(address)) => address,
        Serving::On(None) => configured,
        Serving::Off if configured.is_empty() => configured,
        Serving::Off => {
            tracing::warn!(
                builds,
                max_builds,
                "listen_address has no effect in virtual time"
            );
            return Ok(None);
        }
    };
    if address.is_empty() {
        tracing::info!(
            builds,
            max_builds,
            "listen_address not defined, metrics & debug endpoints disabled"
        );
        return Ok(None);
    }
    let address: ListenAddress = match address.parse() {
        Ok(address) => address,
        Err(error) => {
            tracing::error!(builds, max_builds, "{error}");
            return Ok(None);
        }
    };
    let listener = address
        .bind()
        .await
        .map_err(|error| format!("listen tcp {address}: {}", metrics::why_not_bound(&error)))?;
    let refresh = refresh(manager.clone());
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let metrics = metrics.clone();
    drop(logging::spawn(async move {
        tokio::select! {
            biased;
            () = stopped.cancelled() => {}
            () = metrics::serve(listener, metrics, refresh) => {}
        }
    }));
    tracing::info!(
        address = address.to_string(),
        builds,
        max_builds,
        "Metrics server listening"
    );
    Ok(Some(stop.drop_guard()))
}

/// Asks the manager to set the gauges.
pub(super) fn refresh(manager: mpsc::UnboundedSender<Message>) -> Refresh {
    Arc::new(move || {
        let manager = manager.clone();
        Box::pin(async move {
            let (done, refreshed) = oneshot::channel();
            // A manager that is gone leaves the gauges as they were.
            if manager.send(Message::Scrape(done)).is_ok() {
                let _ = refreshed.await;
            }
        })
    })
}
