//! Figures of a whole runner: the real program in a process of its own, with real shells, against the mock.
//!
//! Targets stand in issue 6. What the official runner takes on two cores of such a machine stands behind
//! them in brackets; it is quoted, not measured here.

mod idle;
mod jobs;
mod log;
mod start;

pub(super) use idle::memory;
pub(super) use jobs::{many, one};
pub(super) use log::logs;
pub(super) use start::first_poll;

use std::time::Duration;

/// The middle one of some durations; of an even number the upper one.
fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one() {
        let of = |all: &[u64]| median(all.iter().copied().map(Duration::from_secs).collect());
        assert_eq!(of(&[]), Duration::ZERO);
        assert_eq!(of(&[5, 1, 3]), Duration::from_secs(3));
        assert_eq!(of(&[4, 1, 3, 2]), Duration::from_secs(3));
    }
}
