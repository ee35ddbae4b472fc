//! How long virtual time takes.

use std::time::{Duration, Instant};

use super::table::{Figure, time};
use crate::fleet;
use crate::load::LoadError;

const RUNNERS: usize = 100;
const MINUTES: u64 = 60;
/// One poll each 3 s and runner.
const POLLS: usize = RUNNERS * (MINUTES as usize * 60 / 3);
/// The best of so many counts.
const ROUNDS: usize = 5;
const TARGET: Duration = Duration::from_secs(2);

pub(super) fn hour() -> Result<Vec<Figure>, LoadError> {
    let fleet = fleet::idle(RUNNERS, MINUTES)?;
    let mut polls = 0;
    let mut took = Duration::MAX;
    // Whatever else the machine does only adds time.
    for _ in 0..ROUNDS {
        let start = Instant::now();
        polls = fleet::play(&fleet)?;
        took = took.min(start.elapsed());
        if polls < POLLS {
            return Err(format!("{polls} polls in an hour, expected {POLLS}").into());
        }
    }
    Ok(vec![Figure::judged(
        "a virtual hour of 100 idle runners",
        format!("{} for {polls} polls", time(took)),
        "< 2.00 s",
        took < TARGET,
    )])
}
