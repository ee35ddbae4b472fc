use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::clock::SharedClock;

use super::{Format, Level};

/// Where records go, one call of `write` for each.
pub type Sink = Arc<Mutex<dyn Write + Send>>;

/// The process log: its level and format, which a reload of the configuration may change.
///
/// A clone is the same log.
#[derive(Clone)]
pub struct Log {
    shared: Arc<()>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    /// A log that writes to `sink`, stamped by `clock`, at level info in the format runner.
    pub fn new(sink: Sink, clock: SharedClock) -> Self {
        let _ = (sink, clock);
        todo!()
    }

    /// A log to stderr, stamped by the machine's clock.
    pub fn stderr() -> Self {
        todo!()
    }

    /// Sets level and format given by command line or environment: a configuration does not change
    /// them any more (RUN-CLI-04).
    pub fn fix(&self, level: Option<Level>, format: Option<Format>) {
        let _ = (level, format, &self.shared);
        todo!()
    }

    /// Sets level and format as the configuration says, unless [`Log::fix`] has set them.
    pub fn configure(&self, level: Option<Level>, format: Option<Format>) {
        let _ = (level, format, &self.shared);
        todo!()
    }

    /// The subscriber that feeds this log, for `tracing::subscriber::with_default` or
    /// `WithSubscriber::with_subscriber`.
    pub fn dispatch(&self) -> tracing::Dispatch {
        todo!()
    }

    /// Makes this the log of the whole process; later calls do nothing.
    pub fn install(&self) {
        todo!()
    }
}
