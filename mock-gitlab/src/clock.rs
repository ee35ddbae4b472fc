//! The clock of a server: the machine's, and whatever was added to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

/// The machine's clock, which can be put forward. A clone is the same clock.
///
/// It is what the world goes by: delays, expiries, timeouts, sweeps. Pauses within a connection (a poll
/// that is held, the latency of a fault) go by the machine's clock alone.
#[derive(Clone, Debug, Default)]
pub struct ServerClock {
    ahead_ms: Arc<AtomicI64>,
}

/// Furthest that the clock can be ahead: a hundred years, ms.
const MOST_AHEAD_MS: i64 = 100 * 366 * 86_400_000;

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
        self.ahead_ms
            .try_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok()
    }

    /// Back to the machine's clock.
    pub fn reset(&self) {
        self.ahead_ms.store(0, Ordering::Relaxed);
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
        clock.reset();
        assert_eq!(clock.ahead_ms(), 0);
    }
}
