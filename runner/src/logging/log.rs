use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::clock::{SharedClock, SystemClock};

use super::format::{self, Record};
use super::layer::LogLayer;
use super::{Format, Level};

/// Where records go, one call of `write` for each.
pub type Sink = Arc<Mutex<dyn Write + Send>>;

/// The process log: its level and format, which a reload of the configuration may change.
///
/// A clone is the same log.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    sink: Sink,
    clock: SharedClock,
    settings: Mutex<Settings>,
    counts: [AtomicU64; 4],
}

/// Level and format: as fixed by the command line, as configured, or the default.
#[derive(Clone, Copy, Debug, Default)]
struct Settings {
    fixed_level: Option<Level>,
    fixed_format: Option<Format>,
    level: Option<Level>,
    format: Option<Format>,
}

impl Settings {
    fn level(self) -> Level {
        self.fixed_level.or(self.level).unwrap_or(Level::Info)
    }

    fn format(self) -> Format {
        self.fixed_format.or(self.format).unwrap_or_default()
    }
}

/// Levels that are counted, in the order of [`Shared::counts`].
const COUNTED: [Level; 4] = [Level::Panic, Level::Fatal, Level::Error, Level::Warning];

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = *self.settings();
        f.debug_struct("Log")
            .field("level", &settings.level())
            .field("format", &settings.format())
            .finish_non_exhaustive()
    }
}

impl Log {
    /// A log that writes to `sink`, stamped by `clock`, at level info in the format runner.
    pub fn new(sink: Sink, clock: SharedClock) -> Self {
        Log {
            shared: Arc::new(Shared {
                sink,
                clock,
                settings: Mutex::default(),
                counts: Default::default(),
            }),
        }
    }

    /// A log to stderr, stamped by the machine's clock.
    pub fn stderr() -> Self {
        Log::new(
            Arc::new(Mutex::new(std::io::stderr())),
            Arc::new(SystemClock),
        )
    }

    /// Sets level and format given by command line or environment: a configuration does not change
    /// them any more (RUN-CLI-04). What is `None` stays open.
    pub fn fix(&self, level: Option<Level>, format: Option<Format>) {
        let mut settings = self.settings();
        settings.fixed_level = level;
        settings.fixed_format = format;
    }

    /// Sets level and format as the configuration says, unless [`Log::fix`] has set them. `None` is
    /// the default: info, runner.
    pub fn configure(&self, level: Option<Level>, format: Option<Format>) {
        let mut settings = self.settings();
        settings.level = level;
        settings.format = format;
    }

    /// The level in force.
    pub fn level(&self) -> Level {
        self.settings().level()
    }

    /// How many records of `level` were written; only counted from warning upwards
    /// (`gitlab_runner_errors_total`).
    pub fn count(&self, level: Level) -> u64 {
        COUNTED
            .iter()
            .position(|counted| *counted == level)
            .map_or(0, |index| self.shared.counts[index].load(Ordering::Relaxed))
    }

    /// The subscriber that feeds this log, for `tracing::subscriber::with_default` or
    /// `WithSubscriber::with_subscriber`.
    pub fn dispatch(&self) -> Dispatch {
        Dispatch::new(tracing_subscriber::registry().with(LogLayer::new(self.clone())))
    }

    /// Makes this the log of the whole process; later calls do nothing.
    pub fn install(&self) {
        // A second log loses: the first one belongs to the process.
        let _ = tracing::dispatcher::set_global_default(self.dispatch());
    }

    /// Whether a record of this level is written.
    pub(super) fn shows(&self, level: Level) -> bool {
        level <= self.settings().level()
    }

    /// Writes one record.
    pub(super) fn write(&self, record: &Record) {
        if let Some(index) = COUNTED.iter().position(|counted| *counted == record.level) {
            self.shared.counts[index].fetch_add(1, Ordering::Relaxed);
        }
        let format = self.settings().format();
        let line = format::line(format, self.shared.clock.now(), record);
        let mut sink = self
            .shared
            .sink
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written has nowhere to complain.
        let _ = sink.write_all(line.as_bytes());
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.shared
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
