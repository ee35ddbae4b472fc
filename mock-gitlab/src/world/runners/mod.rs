//! Runners: tokens, machines, the `last_update` value, registration.
//!
//! - `token`: who a token belongs to; resets and expiry (wire.md 7).
//! - `manage`: making, changing and removing runners.
//! - `register`: the runner API's own way to do that (wire.md 3.2-3.6).
//! - `contact`: heartbeats and machines.
//! - `queue_value`: the `last_update` value and its ticks (queueing.md 7).

mod contact;
mod manage;
mod queue_value;
mod register;
mod token;

pub use contact::RunnerStatus;
pub use queue_value::TickListener;
pub use register::RegisterRunner;
pub(super) use token::same;

use jiff::Timestamp;

use super::queue::{Matcher, Scope, Snapshot};
use super::rate_limit::RateWindow;
use super::state::{AccessLevel, Runner, RunnerType};
use super::text::Text;

/// A runner, and what only the world itself needs of it.
#[derive(Debug)]
pub(super) struct RunnerEntry {
    pub(super) record: Runner,
    pub(super) matcher: Matcher,
    /// The `last_update` value and when it lapses; made by the first read after a tick.
    pub(super) queue_value: Option<(Text, Timestamp)>,
    pub(super) requests: RateWindow,
}

impl RunnerEntry {
    pub(super) fn new(record: Runner) -> RunnerEntry {
        RunnerEntry {
            matcher: matcher(&record),
            record,
            queue_value: None,
            requests: RateWindow::default(),
        }
    }

    /// Whether a waiting job with this snapshot stands in its order.
    pub(super) fn may_take(&self, snapshot: Snapshot<'_>) -> bool {
        let in_scope = match scope(&self.record) {
            Scope::Instance => snapshot.instance_runners_enabled,
            Scope::Group(group) => snapshot.traversal.contains(&group),
            Scope::Projects(projects) => projects.binary_search(&snapshot.project).is_ok(),
        };
        in_scope && self.matcher.accepts(snapshot.protected, snapshot.tags)
    }

    /// After a change of settings.
    pub(super) fn refresh_matcher(&mut self) {
        self.matcher = matcher(&self.record);
    }
}

fn matcher(record: &Runner) -> Matcher {
    Matcher::new(
        record.tags.clone(),
        record.run_untagged,
        record.access_level == AccessLevel::RefProtected,
    )
}

/// Whose jobs a runner may take.
pub(super) fn scope(record: &Runner) -> Scope<'_> {
    match (record.runner_type, record.group) {
        (RunnerType::InstanceType, _) => Scope::Instance,
        (RunnerType::GroupType, Some(group)) => Scope::Group(group),
        // A group runner always has a group; without one it gets nothing.
        (RunnerType::GroupType, None) => Scope::Projects(&[]),
        (RunnerType::ProjectType, _) => Scope::Projects(&record.projects),
    }
}
