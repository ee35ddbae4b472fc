//! A long log on its whole way: the job's pipe, masks, timestamps, spool file, patches, final update.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::figures::Figure;
use crate::figures::log::{INPUT_BYTES, LINE_BYTES, WRITE_BYTES, lines, phrases};
use crate::figures::table::{mebibytes, time};
use crate::load::LoadError;
use crate::process::{cpu_time, peak_resident_bytes};
use crate::runner::{Entries, Machine, RunnerProcess};

const MIB: u64 = 1024 * 1024;
const RESIDENT_MAX: u64 = 32 * MIB;

/// What one log took.
struct Taken {
    cpu: Duration,
    whole: Duration,
    peak: u64,
}

pub(in crate::figures) fn logs() -> Result<Vec<Figure>, LoadError> {
    let mut figures = Vec::new();
    let mut peak = 0;
    for (what, phrases, whole, least, official) in [
        ("no masked phrases", Vec::new(), true, 600.0, 58),
        ("100 masked phrases", phrases(100), true, 300.0, 18),
        (
            "the same, of which `output_limit` keeps 4 MiB as by default",
            phrases(100),
            false,
            300.0,
            18,
        ),
    ] {
        let taken = deliver(&phrases, whole)?;
        let rate = INPUT_BYTES as f64 / 1e6 / taken.cpu.as_secs_f64();
        peak = peak.max(taken.peak);
        figures.push(Figure::judged(
            format!("runner: log of 300 MB in 50-byte lines, timestamps, {what}"),
            format!(
                "{rate:.0} MB per CPU second of the runner; the job took {}",
                time(taken.whole)
            ),
            format!("≥ {least} MB (official: {official})"),
            rate >= least,
        ));
    }
    figures.push(Figure::judged(
        "runner: peak memory during these logs",
        mebibytes(peak),
        format!("< {} (official: 73)", mebibytes(RESIDENT_MAX)),
        peak < RESIDENT_MAX,
    ));
    Ok(figures)
}

/// Runs a job that writes the log, and sees the whole of it delivered, or what the default limit lets
/// through.
fn deliver(phrases: &[String], whole: bool) -> Result<Taken, LoadError> {
    let machine = Machine::new(|settings| settings.ci_jobs_trace_size_limit_mib = 0)?;
    let entries = Entries {
        output_limit_kib: if whole { u32::MAX } else { 0 },
        ..Entries::new(&machine, 1)?
    };
    let file = machine.folder().join("lines.txt");
    let bytes = write_lines(&file)?;
    let runner = RunnerProcess::start(&machine, &entries)?;
    machine.wait_for_polls(1)?;
    let cpu = || cpu_time(runner.pid()).ok_or("no /proc on this system");
    let before = cpu()?;
    let command = format!("cat '{}'", file.display());
    machine.add_jobs(1, |mut job| {
        for (number, phrase) in phrases.iter().enumerate() {
            job = job.masked(&format!("SECRET_{number}"), phrase);
        }
        job.script([command.as_str()])
    })?;
    machine.wait_for_success()?;
    let cpu = cpu()?.saturating_sub(before);
    // Each line gets 32 bytes of timestamp; less would mean that something was left out.
    let least = if whole {
        bytes + bytes / LINE_BYTES as u64 * 32
    } else {
        4 * MIB
    };
    let stored = machine.trace_bytes();
    if stored < least {
        return Err(format!("{stored} bytes of the log arrived, expected {least}").into());
    }
    Ok(Taken {
        cpu,
        whole: machine.whole_time().ok_or("no job was polled")?,
        peak: peak_resident_bytes(runner.pid()).ok_or("no /proc on this system")?,
    })
}

/// Writes the job's output beforehand, so that only `cat` has to be as fast as the runner.
fn write_lines(path: &Path) -> Result<u64, LoadError> {
    let mut file = std::fs::File::create(path)?;
    let block = lines(WRITE_BYTES / LINE_BYTES);
    let mut written = 0;
    while written < INPUT_BYTES as u64 {
        file.write_all(&block)?;
        written += block.len() as u64;
    }
    Ok(written)
}
