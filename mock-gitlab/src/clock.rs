//! The clock of a server: the machine's, and whatever was added to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// The machine's clock, which can be put forward. A clone is the same clock.
///
/// It is what the world goes by: delays, expiries, timeouts, sweeps, and the end of polls that are held.
/// Pauses that a fault makes within a connection go by the machine's clock alone.
#[derive(Clone, Debug, Default)]
pub struct ServerClock {
    ahead_ms: Arc<AtomicI64>,
    /// Sent to when it was put forward or back.
    jumps: watch::Sender<()>,
}

/// Furthest that the clock can be ahead: a hundred years, ms.
const MOST_AHEAD_MS: i64 = 100 * 366 * 86_400_000;

/// Whether a clock can be so far ahead, ms.
pub(crate) fn can_be_ahead(ahead_ms: i64) -> bool {
    (0..=MOST_AHEAD_MS).contains(&ahead_ms)
}

impl ServerClock {
    /// The time.
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
        now.saturating_add(SignedDuration::from_millis(self.ahead_ms()))
            .unwrap_or(Timestamp::MAX)
    }

    /// How far it is ahead of the machine's clock, ms.
    pub fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }

    /// Puts it forward; false, and nothing happens, when it would be more than a hundred years ahead.
    pub fn advance(&self, time: Duration) -> bool {
        let Ok(time) = i64::try_from(time.as_millis()) else {
            return false;
        };
        let add = |ahead: i64| ahead.checked_add(time).filter(|sum| *sum <= MOST_AHEAD_MS);
        let advanced = self
            .ahead_ms
            .try_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok();
        self.jumps.send_replace(());
        advanced
    }

    /// Back to the machine's clock.
    pub fn reset(&self) {
        self.set_ahead_ms(0);
    }

    /// So far ahead of the machine's clock, ms, which is 0 to a hundred years; false, and nothing
    /// happens, for any other value.
    pub fn set_ahead_ms(&self, ahead_ms: i64) -> bool {
        let good = can_be_ahead(ahead_ms);
        if good {
            self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
            self.jumps.send_replace(());
        }
        good
    }

    /// Changes when the clock is put forward or back, from now on. To wait for a time of this clock, first
    /// ask for this, then read the time.
    pub fn jumps(&self) -> watch::Receiver<()> {
        self.jumps.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_forward_only_so_far() {
        let clock = ServerClock::default();
        let before = clock.now();
        assert!(clock.advance(Duration::from_hours(24)));
        assert!(clock.now() >= before + SignedDuration::from_hours(24));
        assert!(!clock.advance(Duration::from_hours(24 * 366 * 100)));
        assert!(!clock.advance(Duration::MAX));
        assert_eq!(clock.ahead_ms(), 86_400_000);
        assert!(!clock.set_ahead_ms(-1) && !clock.set_ahead_ms(i64::MAX));
        assert_eq!(clock.ahead_ms(), 86_400_000);
        clock.reset();
        assert_eq!(clock.ahead_ms(), 0);
    }
}
