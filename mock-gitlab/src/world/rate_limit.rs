//! Application rate limits (wire.md 8.3).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Calls in the current minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RateWindow {
    minute: i64,
    calls: u32,
}

impl RateWindow {
    /// Counts a call. `Err` with the seconds until the next minute if there were more than `limit` in
    /// this one; 0 = no limit.
    pub(super) fn count(&mut self, now: Timestamp, limit: u32) -> Result<(), u32> {
        if limit == 0 {
            return Ok(());
        }
        let minute = now.as_second().div_euclid(60);
        if self.minute != minute {
            *self = RateWindow { minute, calls: 0 };
        }
        self.calls = self.calls.saturating_add(1);
        if self.calls <= limit {
            Ok(())
        } else {
            Err(60 - now.as_second().rem_euclid(60) as u32)
        }
    }
}
