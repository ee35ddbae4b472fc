//! Figures of the world alone: no HTTP, no runner.

use std::time::{Duration, Instant};

use super::table::{mebibytes, time};
use super::{Figure, fastest};
use crate::load::{Load, LoadError, log_text};
use crate::process::own_resident_bytes;

/// A poll answered 204 costs at most this much.
const POLL_MAX: Duration = Duration::from_micros(2);

/// A pick among a million jobs costs at most this many times a pick among a thousand.
const PICK_RATIO_MAX: f64 = 3.0;

/// Polls per second that picks from 20,000 jobs must allow.
const PICKS_PER_SECOND_MIN: f64 = 20_000.0;

/// A pending job takes at most this much memory.
const JOB_BYTES_MAX: u64 = 1024;

/// A million pending jobs are loaded within this time.
const MILLION_MAX: Duration = Duration::from_secs(5);

/// Memory may grow by a tenth after the first polls.
const MEMORY_GROWTH_MAX: f64 = 1.1;

/// One poll answered 204: with the value of the last answer, and with a value that is out of date.
pub(super) fn poll() -> Result<Vec<Figure>, LoadError> {
    const CALLS: u32 = 100_000;
    let mut load = Load::new(0, 1_000)?;
    load.idle_poll()?;
    let idle = fastest(5, CALLS, || {
        let mut scans = 0;
        for _ in 0..CALLS {
            scans += u32::from(load.idle_poll()?);
        }
        // Once per hour, which is 1200 polls, the value grows old.
        if scans > CALLS / 1_000 {
            return Err(format!("the queue was read for {scans} of {CALLS} idle polls").into());
        }
        Ok(())
    })?;
    let scan = fastest(5, CALLS, || {
        for _ in 0..CALLS {
            load.scanning_poll()?;
        }
        Ok(())
    })?;
    Ok(vec![
        Figure::judged(
            "poll answered 204, world only",
            time(idle),
            format!("< {}", time(POLL_MAX)),
            idle < POLL_MAX,
        ),
        Figure::judged(
            "the same, an empty queue read",
            time(scan),
            format!("< {}", time(POLL_MAX)),
            scan < POLL_MAX,
        ),
    ])
}

/// One pick among many pending jobs; the job is finished and replaced outside of the measured time.
pub(super) fn pick() -> Result<Vec<Figure>, LoadError> {
    let mut figures = Vec::new();
    let mut first = Duration::ZERO;
    for (jobs, projects) in [
        (1_000, 1),
        (1_000, 1_000),
        (20_000, 1_000),
        (100_000, 1_000),
        (1_000_000, 10_000),
    ] {
        let mut load = Load::new(jobs, projects)?;
        let cost = median_pick(&mut load, 5_000)?;
        let what = format!("pick among {jobs} jobs of {projects} projects, world only");
        if first.is_zero() {
            first = cost;
        }
        let ratio = cost.as_secs_f64() / first.as_secs_f64();
        figures.push(match jobs {
            1_000_000 => Figure::judged(
                what,
                format!("{} ({ratio:.2} times the first)", time(cost)),
                format!("≤ {PICK_RATIO_MAX} times"),
                ratio <= PICK_RATIO_MAX,
            ),
            20_000 => {
                let rate = 1.0 / cost.as_secs_f64();
                Figure::judged(
                    what,
                    format!("{} ({rate:.0}/s)", time(cost)),
                    format!("≥ {PICKS_PER_SECOND_MIN}/s"),
                    rate >= PICKS_PER_SECOND_MIN,
                )
            }
            _ => Figure::noted(what, time(cost)),
        });
    }
    Ok(figures)
}

/// Median cost of a pick.
fn median_pick(load: &mut Load, picks: usize) -> Result<Duration, LoadError> {
    let mut costs = Vec::with_capacity(picks);
    for _ in 0..picks {
        let start = Instant::now();
        let job = load.pick()?;
        costs.push(start.elapsed());
        load.finish(&job)?;
        load.add_job()?;
    }
    Ok(median(&costs))
}

/// The middle one of `costs`; zero of none.
fn median(costs: &[Duration]) -> Duration {
    let mut costs = costs.to_vec();
    costs.sort();
    costs.get(costs.len() / 2).copied().unwrap_or_default()
}

/// A million pending jobs: time and memory.
pub(super) fn load() -> Result<Vec<Figure>, LoadError> {
    const JOBS: usize = 1_000_000;
    let before = own_resident_bytes();
    let start = Instant::now();
    let load = Load::new(JOBS, 10_000)?;
    let took = start.elapsed();
    let after = own_resident_bytes();
    drop(load);
    let mut figures = vec![Figure::judged(
        "load a million pending jobs",
        time(took),
        format!("< {}", time(MILLION_MAX)),
        took < MILLION_MAX,
    )];
    if let (Some(before), Some(after)) = (before, after) {
        let each = after.saturating_sub(before) / JOBS as u64;
        figures.push(Figure::judged(
            "memory per pending job",
            format!("{each} B"),
            format!("< {JOB_BYTES_MAX} B"),
            each < JOB_BYTES_MAX,
        ));
    }
    Ok(figures)
}

/// Trace patches: 64 KiB ones, and small ones at the start and far into a log.
pub(super) fn trace() -> Result<Vec<Figure>, LoadError> {
    let body = log_text(64 * 1024);
    let mut load = Load::new(8, 1)?;
    let mut costs = Vec::new();
    for _ in 0..8 {
        let job = load.pick()?;
        let mut start = 0;
        for _ in 0..256 {
            let began = Instant::now();
            load.patch(&job, start, &body)?;
            costs.push(began.elapsed());
            start += body.len() as u64;
        }
        load.finish(&job)?;
    }
    let median = median(&costs);
    let rate = body.len() as f64 / median.as_secs_f64() / 1_048_576.0;
    let mut figures = vec![Figure::noted(
        "64 KiB trace patch, world only",
        format!("{} ({rate:.0} MiB/s)", time(median)),
    )];
    figures.push(long_log()?);
    Ok(figures)
}

/// A patch costs the same wherever it is in the log: 100,000 patches of 512 bytes, the first ten thousand
/// against the last.
fn long_log() -> Result<Figure, LoadError> {
    const PATCHES: usize = 100_000;
    const PART: usize = 10_000;
    let body = log_text(512);
    let mut load = Load::new(1, 1)?;
    let job = load.pick()?;
    let mut costs = Vec::with_capacity(PATCHES);
    let mut start = 0;
    for _ in 0..PATCHES {
        let began = Instant::now();
        load.patch(&job, start, &body)?;
        costs.push(began.elapsed());
        start += body.len() as u64;
    }
    let first = median(&costs[..PART]);
    let last = median(&costs[PATCHES - PART..]);
    let ratio = last.as_secs_f64() / first.as_secs_f64();
    Ok(Figure::judged(
        "patch 100,000 of a log against patch 1",
        format!("{} against {} ({ratio:.2} times)", time(last), time(first)),
        "≤ 1.5 times",
        ratio <= 1.5,
    ))
}

/// Resident memory after a million polls against after a hundred thousand.
pub(super) fn memory() -> Result<Vec<Figure>, LoadError> {
    let mut load = Load::new(0, 100)?;
    let mut polls = |count: u32| -> Result<Option<u64>, LoadError> {
        for _ in 0..count {
            load.idle_poll()?;
        }
        Ok(own_resident_bytes())
    };
    let (Some(early), Some(late)) = (polls(100_000)?, polls(900_000)?) else {
        return Ok(Vec::new());
    };
    let growth = late as f64 / early as f64;
    Ok(vec![Figure::judged(
        "memory after a million polls, world only",
        format!("{} ({growth:.2} times that after 100,000)", mebibytes(late)),
        format!("≤ {MEMORY_GROWTH_MAX} times"),
        growth <= MEMORY_GROWTH_MAX,
    )])
}
