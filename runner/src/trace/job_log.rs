use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::masks::Masks;
use super::pipeline::Pipeline;
use super::spool::Spool;
use super::stamps::{Kind, Stamps};
use super::store::{Extent, Store};
use crate::clock::SharedClock;
use crate::executor::{ManagerLines, OutputSink, StageOutput};
use crate::job::LogSink;

const RESET_CURRENT_LINE: &str = "\u{1b}[0K";
const GREEN: &str = "\u{1b}[32;1m";
const YELLOW: &str = "\u{1b}[0;33m";
const RED: &str = "\u{1b}[31;1m";
const CYAN: &str = "\u{1b}[36;1m";
const RESET: &str = "\u{1b}[0;m";

/// Stream of the manager's own lines.
const MANAGER: u8 = 0x00;
/// Stream of the job's output.
const JOB: u8 = 0x01;

/// How the log of a job is made.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Timestamps before each line (`FF_TIMESTAMPS`, default on).
    pub timestamps: bool,
    /// What must not appear.
    pub masks: Masks,
    /// `output_limit`, in bytes; default 4 MiB.
    pub limit_bytes: u64,
    /// Whether section markers are written (`features.trace_sections` of the job).
    pub trace_sections: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions {
            timestamps: true,
            masks: Masks::default(),
            limit_bytes: 4 * 1024 * 1024,
            trace_sections: true,
        }
    }
}

/// The write side of one job's log (runner.md 9). A clone is the same log.
#[derive(Clone)]
pub struct JobLog {
    shared: Arc<Shared>,
}

struct Shared {
    options: LogOptions,
    clock: SharedClock,
    /// Locked before `store`, never after it.
    manager: Mutex<Option<Pipeline>>,
    store: Mutex<Store>,
    /// The store takes nothing more, so nobody need make it.
    full: AtomicBool,
}

impl fmt::Debug for JobLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobLog").finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves the log usable: at worst a line is cut.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn pipeline(&self, id: u8, kind: Kind) -> Pipeline {
        let stamps = self.options.timestamps.then(|| Stamps::new(id, kind));
        Pipeline::new(&self.options.masks, stamps)
    }

    fn store(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let mut store = locked(&self.store);
            store.write(bytes);
            if store.is_full() {
                self.full.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl JobLog {
    /// An empty log. `clock` stamps its lines, `spool` keeps its bytes.
    pub fn new(options: LogOptions, clock: SharedClock, spool: Spool) -> Self {
        let store = Mutex::new(Store::new(options.limit_bytes, spool));
        let shared = Shared {
            options,
            clock,
            manager: Mutex::new(None),
            store,
            full: AtomicBool::new(false),
        };
        *locked(&shared.manager) = Some(shared.pipeline(MANAGER, Kind::Out));
        JobLog {
            shared: Arc::new(shared),
        }
    }

    /// Streams of stage `out` and `err` for one stage: new ones each time (runner.md 9.3).
    pub fn stream(&self) -> (LogStream, LogStream) {
        (
            self.stream_with_id(JOB, Kind::Out),
            self.stream_with_id(JOB, Kind::Err),
        )
    }

    /// Streams of a service; `number` counts services from 0.
    pub fn service_stream(&self, number: u8) -> (LogStream, LogStream) {
        let id = number.saturating_add(0x0f);
        (
            self.stream_with_id(id, Kind::Out),
            self.stream_with_id(id, Kind::Err),
        )
    }

    fn stream_with_id(&self, id: u8, kind: Kind) -> LogStream {
        LogStream {
            pipeline: self.shared.pipeline(id, kind),
            shared: Arc::clone(&self.shared),
        }
    }

    /// A text without decoration, stamps and masks: the bare error of a job that was decided at pickup
    /// (wire.md 5.1).
    pub fn raw(&self, text: &str) {
        self.shared.store(text.as_bytes());
    }

    /// Marks the start of a section, with options such as `hide_duration=true,collapsed=true`.
    pub fn section_start_with(&self, name: &str, options: &str) {
        let options = if options.is_empty() {
            String::new()
        } else {
            format!("[{options}]")
        };
        self.section("section_start", &format!("{name}{options}"));
    }

    fn section(&self, mark: &str, name: &str) {
        if self.shared.options.trace_sections {
            let second = self.shared.clock.now().as_second();
            self.manager(&format!("{mark}:{second}:{name}\r{RESET_CURRENT_LINE}"));
        }
    }

    /// One write of the manager.
    fn manager(&self, text: &str) {
        let mut manager = locked(&self.shared.manager);
        if let Some(pipeline) = manager.as_mut() {
            let bytes = pipeline.write(text.as_bytes(), || self.shared.clock.now());
            self.shared.store(bytes);
        }
    }

    /// A line in a stream of its own: never a continuation (RUN-LOG-13).
    fn own_stream(&self, text: &str) {
        let mut stream = self.stream_with_id(MANAGER, Kind::Out);
        stream.write(text.as_bytes());
    }

    /// The log is over: what streams of the manager held back goes out, and later lines are dropped.
    pub fn close(&self) {
        let mut manager = locked(&self.shared.manager);
        if let Some(mut pipeline) = manager.take() {
            let bytes = pipeline.close(|| self.shared.clock.now());
            self.shared.store(bytes);
        }
        locked(&self.shared.store).close();
    }

    /// Bytes in the log so far.
    pub fn size(&self) -> u64 {
        self.extent().size
    }

    /// Checksum of the log so far: `crc32:` and 8 hex digits (RUN-LOG-11).
    pub fn checksum(&self) -> String {
        protocol::trace::checksum(self.extent().crc32)
    }

    pub(super) fn extent(&self) -> Extent {
        locked(&self.shared.store).extent()
    }

    /// At most `length` bytes from `offset` on; none at the end or behind it.
    pub fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        locked(&self.shared.store).read(offset, length)
    }
}

/// What the manager says in a job's log stands in the process log too, with the job's fields.
impl ManagerLines for JobLog {
    fn println(&self, text: &str) {
        tracing::debug!("{text}");
        self.manager(&format!("{RESET_CURRENT_LINE}{text}{RESET}\n"));
    }

    fn infoln(&self, text: &str) {
        tracing::info!("{text}");
        self.manager(&format!("{GREEN}{text}{RESET}\n"));
    }

    fn warningln(&self, text: &str) {
        tracing::warn!("{text}");
        self.manager(&format!("{YELLOW}WARNING: {text}{RESET}\n"));
    }

    fn errorln(&self, text: &str) {
        // The job may still go well: for the process it is a warning.
        tracing::warn!("{text}");
        self.manager(&format!("{RED}ERROR: {text}{RESET}\n"));
    }
}

impl LogSink for JobLog {
    fn attempt_failed(&self, text: &str, error: &dyn std::fmt::Display) {
        tracing::warn!(%error, "{text}");
        self.manager(&format!("{YELLOW}WARNING: {text}{RESET}\n"));
    }

    fn title(&self, text: &str) {
        tracing::debug!("{CYAN}{text}{RESET}");
        self.manager(&format!("{RESET_CURRENT_LINE}{CYAN}{text}{RESET}{RESET}\n"));
    }

    fn section_start(&self, name: &str) {
        self.section("section_start", name);
    }

    fn section_end(&self, name: &str) {
        self.section("section_end", name);
    }

    fn stage_output(&self) -> StageOutput {
        let (out, err) = self.stream();
        StageOutput {
            out: Box::new(out),
            err: Box::new(err),
        }
    }

    fn result_success(&self, text: &str) {
        self.own_stream(&format!("{GREEN}{text}{RESET}\n"));
    }

    fn result_failure(&self, text: &str) {
        self.own_stream(&format!("{RED}ERROR: {text}{RESET}\n"));
    }
}

/// One output stream of a job. Closed when dropped: then held text and open lines go out.
pub struct LogStream {
    pipeline: Pipeline,
    shared: Arc<Shared>,
}

impl fmt::Debug for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStream").finish_non_exhaustive()
    }
}

impl LogStream {
    /// Takes bytes, in order.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.shared.full.load(Ordering::Relaxed) {
            return;
        }
        let clock = &self.shared.clock;
        let bytes = self.pipeline.write(bytes, || clock.now());
        self.shared.store(bytes);
    }

    /// Ends the stream; the same as dropping it.
    pub fn close(self) {}
}

impl OutputSink for LogStream {
    fn write(&mut self, bytes: &[u8]) {
        LogStream::write(self, bytes);
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        let clock = &self.shared.clock;
        let bytes = self.pipeline.close(|| clock.now());
        self.shared.store(bytes);
    }
}
