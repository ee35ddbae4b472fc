//! What does not grow: the memory of a runner over many jobs, and over one long log.

use std::sync::Arc;

use runner::clock::SystemClock;
use runner::trace::{JobLog, LogOptions, Masks, Spool};

use super::table::{Figure, mebibytes};
use crate::job_stream::{self, Growth};
use crate::load::LoadError;
use crate::process::own_resident_bytes;

/// Jobs of the long play.
const JOBS: i64 = 100_000;
/// Size of the long log.
const LOG_BYTES: u64 = 1 << 30;
/// One patch takes at most this much.
const PATCH_BYTES: usize = 1 << 20;
/// What the allocator may keep more at the end than after a tenth.
const GROWTH_MAX: u64 = 2 << 20;

fn judged(what: &str, growth: Growth) -> Figure {
    Figure::judged(
        what,
        format!(
            "{} after a tenth, {} at the end",
            mebibytes(growth.early),
            mebibytes(growth.late)
        ),
        format!("≤ {} more", mebibytes(GROWTH_MAX)),
        growth.bytes() <= GROWTH_MAX,
    )
}

/// 100,000 jobs in virtual time: jobs that end well and badly, with their logs, in a thousand projects.
pub(super) fn jobs() -> Result<Vec<Figure>, LoadError> {
    let growth = job_stream::play(JOBS)?;
    let what = "memory of a manager over 100,000 jobs, virtual time";
    Ok(growth
        .map(|growth| judged(what, growth))
        .into_iter()
        .collect())
}

/// A log of 1 GiB through the pipeline into a spool on disk, read back in patches as delivery does.
pub(super) fn log() -> Result<Vec<Figure>, LoadError> {
    let growth = long_log(LOG_BYTES)?;
    let what = "memory of the log pipeline over 1 GiB, spool on disk, read in patches";
    Ok(growth
        .map(|growth| judged(what, growth))
        .into_iter()
        .collect())
}

/// Writes and reads a log of so many bytes.
fn long_log(bytes: u64) -> Result<Option<Growth>, LoadError> {
    let phrases: Vec<String> = (0..100)
        .map(|n| format!("s3cr3t-{:016x}", n * 7919))
        .collect();
    let options = LogOptions {
        masks: Masks::new(&phrases, &["glpat-"]),
        limit_bytes: u64::MAX,
        ..LogOptions::default()
    };
    let log = JobLog::new(options, Arc::new(SystemClock), Spool::file()?);
    let (mut out, err) = log.stream();
    // Lines of both kinds: short ones, and one without an end for a while.
    let text = "a line that a build prints, with a token glpat-abcdefghij in it\n".repeat(500);
    let endless = "#".repeat(20_000);
    let (mut sent, mut early) = (0, None);
    while log.size() < bytes {
        out.write(text.as_bytes());
        out.write(endless.as_bytes());
        while sent + PATCH_BYTES as u64 <= log.size() {
            sent += log.read(sent, PATCH_BYTES)?.len() as u64;
        }
        if early.is_none() && log.size() >= bytes / 10 {
            early = own_resident_bytes();
        }
    }
    let late = own_resident_bytes();
    out.close();
    err.close();
    log.close();
    if sent < bytes - PATCH_BYTES as u64 {
        return Err(format!("{sent} of {bytes} bytes were read back").into());
    }
    Ok(early.zip(late).map(|(early, late)| Growth { early, late }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_log_comes_back() {
        assert!(long_log(8 << 20).is_ok());
    }
}
