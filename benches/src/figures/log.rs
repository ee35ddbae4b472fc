//! Figures of the runner's log pipeline alone: masking, timestamps, repair, limit, spool. What a whole job
//! costs on top of it (reading the pipe, HTTP) is not in here.

use std::sync::Arc;
use std::time::Duration;

use runner::clock::SystemClock;
use runner::trace::{JobLog, LogOptions, Masks, Spool};

use super::Figure;
use super::table::mebibytes;
use crate::load::LoadError;
use crate::process::{cpu_time, own_resident_bytes};

/// Input of one measurement.
pub(super) const INPUT_BYTES: usize = 300_000_000;

/// One write of a shell's output, as a pipe gives it.
pub(super) const WRITE_BYTES: usize = 64 * 1024;

/// Lines of 50 bytes with their newline.
pub(super) const LINE_BYTES: usize = 50;

/// Megabytes per CPU second that a whole runner must take; the pipeline alone must be faster.
const PLAIN_MIN: f64 = 600.0;

/// The same with a hundred masked phrases.
const MASKED_MIN: f64 = 300.0;

/// Most resident memory of a runner during such a log.
const RESIDENT_MAX: u64 = 32 * 1024 * 1024;

/// 300 MB in 50-byte lines with timestamps, without and with a hundred masked phrases.
pub(super) fn pipeline() -> Result<Vec<Figure>, LoadError> {
    let none: Vec<String> = Vec::new();
    let mut figures = Vec::new();
    for (what, phrases, least) in [
        ("no masked phrases", none, PLAIN_MIN),
        ("100 masked phrases", phrases(100), MASKED_MIN),
    ] {
        let Some(cpu) = cpu_of_a_log(&phrases)? else {
            return Ok(Vec::new());
        };
        let rate = INPUT_BYTES as f64 / 1e6 / cpu.as_secs_f64();
        figures.push(Figure::judged(
            format!("log pipeline alone, 50-byte lines, timestamps, {what}"),
            format!("{rate:.0} MB per CPU second"),
            format!("≥ {least} (whole runner)"),
            rate >= least,
        ));
    }
    if let Some(resident) = own_resident_bytes() {
        figures.push(Figure::judged(
            "memory after these logs of 300 MB, spool on disk",
            mebibytes(resident),
            format!("< {} (whole runner)", mebibytes(RESIDENT_MAX)),
            resident < RESIDENT_MAX,
        ));
    }
    Ok(figures)
}

/// CPU time of this process for one log; `None` where it cannot be read.
fn cpu_of_a_log(phrases: &[String]) -> Result<Option<Duration>, LoadError> {
    let options = LogOptions {
        masks: Masks::new(phrases, &["glpat-"]),
        limit_bytes: u64::MAX,
        ..LogOptions::default()
    };
    let log = JobLog::new(options, Arc::new(SystemClock), Spool::file()?);
    let (mut out, err) = log.stream();
    let text = lines(WRITE_BYTES / LINE_BYTES);
    let me = std::process::id();
    let before = cpu_time(me);
    let mut written = 0;
    while written < INPUT_BYTES {
        out.write(&text);
        written += text.len();
    }
    out.close();
    err.close();
    log.close();
    let after = cpu_time(me);
    // Each line gets 32 bytes of timestamp; less than the input would mean that something was dropped.
    if log.size() < written as u64 {
        return Err(format!("{written} bytes written, {} in the log", log.size()).into());
    }
    Ok(before
        .zip(after)
        .map(|(before, after)| after.saturating_sub(before)))
}

/// Phrases to mask, none of which is in [`lines`].
pub(super) fn phrases(count: u64) -> Vec<String> {
    (0..count)
        .map(|number| format!("s3cr3t-{:016x}", number * 7919))
        .collect()
}

/// Lines of 50 bytes, all different.
pub(super) fn lines(count: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(count * LINE_BYTES);
    for number in 0..count {
        let line = format!(
            "[{number:>6}] compiling unit {:08x} of the project",
            number * 7919
        );
        let body = line
            .as_bytes()
            .iter()
            .copied()
            .chain(std::iter::repeat(b'.'));
        text.extend(body.take(LINE_BYTES - 1));
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_length() {
        let text = lines(20);
        assert_eq!(text.len(), 20 * LINE_BYTES);
        assert!(
            text.chunks(LINE_BYTES)
                .all(|line| line.last() == Some(&b'\n'))
        );
    }
}
