//! Jobs in the shell executor: one after the other, and many at once.

use std::time::Duration;

use super::median;
use crate::figures::Figure;
use crate::figures::table::{mebibytes, time};
use crate::load::LoadError;
use crate::process::{children_cpu_time, cpu_time, peak_resident_bytes};
use crate::runner::{Entries, Machine, RunnerProcess};

/// Jobs one after the other; the median counts.
const JOBS: usize = 41;
/// Each entry is polled once a second: with so many, the next job does not wait long for its poll.
const ENTRIES: usize = 10;
const MIB: u64 = 1024 * 1024;

/// `true` with `GIT_STRATEGY=none`, one job at a time.
pub(in crate::figures) fn one() -> Result<Vec<Figure>, LoadError> {
    let machine = Machine::new(|_| {})?;
    let entries = Entries {
        concurrent: 1,
        check_interval_s: 1,
        ..Entries::new(&machine, ENTRIES)?
    };
    let runner = RunnerProcess::start(&machine, &entries)?;
    machine.wait_for_polls(ENTRIES)?;
    let cpu = || {
        cpu_time(runner.pid())
            .zip(children_cpu_time(runner.pid()))
            .ok_or("no /proc on this system")
    };
    let before = cpu()?;
    machine.add_jobs(JOBS, |job| job.script(["true"]))?;
    machine.wait_for_success()?;
    let after = cpu()?;
    let jobs = JOBS as u32;
    let own = after.0.saturating_sub(before.0) / jobs;
    let shells = after.1.saturating_sub(before.1) / jobs;
    let took = median(machine.job_times());
    let (took_max, own_max) = (Duration::from_millis(20), Duration::from_millis(6));
    Ok(vec![
        Figure::judged(
            format!("runner: job `true`, poll answer to final update, median of {JOBS}"),
            time(took),
            format!("< {} (official: 64 ms)", time(took_max)),
            took < took_max,
        ),
        Figure::judged(
            "runner: job `true`, CPU of the runner's own process",
            time(own),
            format!("< {} (official: 16.5 ms)", time(own_max)),
            own < own_max,
        ),
        Figure::noted(
            "runner: job `true`, CPU of its shells beside that",
            time(shells),
        ),
    ])
}

/// `sleep 1`, as many at once as there are.
pub(in crate::figures) fn many() -> Result<Vec<Figure>, LoadError> {
    let mut figures = Vec::new();
    for (count, took_max, official, peak_max) in [
        (
            200,
            Duration::from_millis(2800),
            " (official: 6.8 s)",
            Some(40),
        ),
        (500, Duration::from_secs(8), "", None),
    ] {
        let slept = sleepers(count)?;
        figures.push(Figure::judged(
            format!(
                "runner: {count} jobs `sleep 1` at once, first poll answer to last final update"
            ),
            format!(
                "{} (all taken after {})",
                time(slept.whole),
                time(slept.taking)
            ),
            format!("< {}{official}", time(took_max)),
            slept.whole < took_max,
        ));
        let what = format!("runner: {count} jobs `sleep 1` at once, peak memory");
        let peak = mebibytes(slept.peak);
        figures.push(match peak_max {
            Some(most) => Figure::judged(
                what,
                peak,
                format!("< {most} MiB (official: 99)"),
                slept.peak < most * MIB,
            ),
            None => Figure::noted(what, peak),
        });
    }
    Ok(figures)
}

/// What many jobs at once took.
struct Slept {
    /// Until the last has ended.
    whole: Duration,
    /// Until the last was taken.
    taking: Duration,
    /// Most memory of the runner.
    peak: u64,
}

fn sleepers(count: usize) -> Result<Slept, LoadError> {
    let machine = Machine::new(|_| {})?;
    let entries = Entries {
        concurrent: count,
        request_concurrency: 20,
        ..Entries::new(&machine, 1)?
    };
    machine.add_jobs(count, |job| job.script(["sleep 1"]))?;
    let runner = RunnerProcess::start(&machine, &entries)?;
    machine.wait_for_success()?;
    let peak = peak_resident_bytes(runner.pid()).ok_or("no /proc on this system")?;
    Ok(Slept {
        whole: machine.whole_time().ok_or("no job was polled")?,
        taking: machine.taking_time().ok_or("no job was polled")?,
        peak,
    })
}
