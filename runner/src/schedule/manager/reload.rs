//! When the configuration is read again (runner.md 4.4).

use std::time::Duration;

use tokio::time::Instant;

use crate::schedule::{ConfigSource, Revision};

/// How often the file is looked at.
const CHECK: Duration = Duration::from_secs(3);

/// What the file looked like last.
#[derive(Debug)]
pub(super) struct Reload {
    seen: Option<Revision>,
    due: Instant,
}

/// What a look at the file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    Unchanged,
    Changed,
    /// The file is gone; said at every look.
    Missing(String),
}

impl Reload {
    pub(super) fn new(source: &dyn ConfigSource) -> Reload {
        Reload {
            seen: source.revision().ok(),
            due: Instant::now() + CHECK,
        }
    }

    /// When to look next.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The time has come.
    pub(super) fn look(&mut self, source: &dyn ConfigSource) -> Look {
        self.due = Instant::now() + CHECK;
        match source.revision() {
            Err(text) => Look::Missing(text),
            Ok(revision) if Some(revision) > self.seen => {
                // Also when it cannot be read: then it is reported once, not at every look.
                self.seen = Some(revision);
                Look::Changed
            }
            Ok(_) => Look::Unchanged,
        }
    }

    /// Takes the present state of the file as known.
    pub(super) fn remember(&mut self, source: &dyn ConfigSource) {
        if let Ok(revision) = source.revision() {
            self.seen = Some(revision);
        }
    }
}
