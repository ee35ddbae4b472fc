//! A log whose clock the test sets, and the reading of stamped logs.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use runner::clock::Clock;
use runner::trace::{JobLog, LogOptions, Masks, Spool};

/// Bytes of a header: time, stream, kind, blank or plus.
pub(crate) const HEADER: usize = 32;

/// A clock that stands where it was put.
#[derive(Clone, Debug)]
pub(crate) struct HandClock(Arc<Mutex<Timestamp>>);

impl HandClock {
    /// A clock at the epoch.
    pub(crate) fn new() -> Self {
        HandClock(Arc::new(Mutex::new(Timestamp::UNIX_EPOCH)))
    }

    pub(crate) fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Options without masks and limit.
pub(crate) fn options(timestamps: bool) -> LogOptions {
    LogOptions {
        timestamps,
        limit_bytes: u64::MAX,
        ..LogOptions::default()
    }
}

/// Options with masks.
pub(crate) fn masked(timestamps: bool, phrases: &[&str], prefixes: &[&str]) -> LogOptions {
    LogOptions {
        masks: Masks::new(phrases, prefixes),
        ..options(timestamps)
    }
}

/// An empty log at the epoch.
pub(crate) fn log(options: LogOptions) -> JobLog {
    JobLog::new(options, Arc::new(HandClock::new()), Spool::memory())
}

/// All bytes of a log.
pub(crate) fn bytes(log: &JobLog) -> Vec<u8> {
    let size = usize::try_from(log.size()).expect("a log that fits in memory");
    log.read(0, size).expect("memory").to_vec()
}

/// The log of one output stream that got these writes.
pub(crate) fn written(options: LogOptions, writes: &[&[u8]]) -> Vec<u8> {
    let log = log(options);
    let (mut out, err) = log.stream();
    for write in writes {
        out.write(write);
    }
    drop((out, err));
    log.close();
    bytes(&log)
}

/// A line of a stamped log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) time: Timestamp,
    /// Two hex digits and `O` or `E`.
    pub(crate) stream: String,
    pub(crate) continues: bool,
    pub(crate) text: Vec<u8>,
}

/// Takes a stamped log apart; `None` if a line has no whole header.
pub(crate) fn lines(log: &[u8]) -> Option<Vec<Line>> {
    let log = log.strip_suffix(b"\n")?;
    log.split(|byte| *byte == b'\n').map(line).collect()
}

fn line(bytes: &[u8]) -> Option<Line> {
    let header = std::str::from_utf8(bytes.get(..HEADER)?).ok()?;
    let (time, rest) = header.split_at_checked(27)?;
    // Six digits of the fraction, and UTC.
    let shape = time.as_bytes();
    let well_shaped = shape[19] == b'.' && shape[26] == b'Z' && rest.starts_with(' ');
    let continues = match rest.as_bytes()[4] {
        b' ' => false,
        b'+' => true,
        _ => return None,
    };
    let stream = rest.get(1..4)?;
    let number = stream.get(..2)?;
    let lower_hex = number
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (well_shaped && lower_hex && matches!(&stream[2..], "O" | "E")).then_some(())?;
    Some(Line {
        time: time.parse().ok()?,
        stream: stream.to_owned(),
        continues,
        text: bytes[HEADER..].to_vec(),
    })
}

/// The text of one stream: a `+` line continues the one before, whose newline was added.
pub(crate) fn joined(lines: &[Line], stream: &str) -> Vec<u8> {
    let mut text = Vec::new();
    for line in lines.iter().filter(|line| line.stream == stream) {
        if line.continues {
            assert_eq!(text.pop(), Some(b'\n'), "a line to continue");
        }
        text.extend_from_slice(&line.text);
        text.push(b'\n');
    }
    text
}

/// `bytes`, cut at `cuts`, of which those behind the end are dropped.
pub(crate) fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|at| (*at).min(bytes.len())).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|at| &bytes[at[0]..at[1]]).collect()
}

/// Whether `bytes` contain `part`.
pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}
