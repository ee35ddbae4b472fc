//! From the start of the process to its first poll.

use std::time::{Duration, SystemTime};

use super::median;
use crate::figures::Figure;
use crate::figures::table::time;
use crate::load::LoadError;
use crate::runner::{Entries, Machine, RunnerProcess};

/// Starts; the median counts.
const STARTS: usize = 15;
const TARGET: Duration = Duration::from_millis(15);

pub(in crate::figures) fn first_poll() -> Result<Vec<Figure>, LoadError> {
    let machine = Machine::new(|_| {})?;
    let entries = Entries::new(&machine, 1)?;
    let mut all = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        machine.forget();
        let before = SystemTime::now();
        let _runner = RunnerProcess::start(&machine, &entries)?;
        machine.wait_for_polls(1)?;
        let took = machine.first_poll_after(before);
        all.push(took.ok_or("a poll without an event")?);
    }
    let fastest = all.iter().min().copied().unwrap_or_default();
    let took = median(all);
    Ok(vec![Figure::judged(
        format!("runner: start to first poll, median of {STARTS}"),
        format!("{} (fastest {})", time(took), time(fastest)),
        format!("< {} (official: 66 ms)", time(TARGET)),
        took < TARGET,
    )])
}
