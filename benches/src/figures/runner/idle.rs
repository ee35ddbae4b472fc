//! Memory of a runner that has nothing to do.

use crate::figures::Figure;
use crate::figures::table::mebibytes;
use crate::load::LoadError;
use crate::process::resident_bytes;
use crate::runner::{Entries, Machine, RunnerProcess};

const MIB: u64 = 1024 * 1024;
/// Polls of each entry before memory is looked at.
const ROUNDS: usize = 2;

pub(in crate::figures) fn memory() -> Result<Vec<Figure>, LoadError> {
    [(1, 10, 64), (200, 14, 76)]
        .into_iter()
        .map(|(count, most, official)| {
            let resident = with_entries(count)?;
            Ok(Figure::judged(
                format!("runner: idle memory, entries in its file: {count}"),
                mebibytes(resident),
                format!("< {most} MiB (official: {official})"),
                resident < most * MIB,
            ))
        })
        .collect()
}

fn with_entries(count: usize) -> Result<u64, LoadError> {
    let machine = Machine::new(|_| {})?;
    let entries = Entries::new(&machine, count)?;
    let runner = RunnerProcess::start(&machine, &entries)?;
    machine.wait_for_polls(count * ROUNDS)?;
    resident_bytes(runner.pid()).ok_or_else(|| "no /proc on this system".into())
}
