//! Which entries are not polled because their answers were bad (runner.md 4.3).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Entry;

/// Failures of one key since the last good answer, the first use or the last reset.
#[derive(Clone, Copy, Debug)]
struct Record {
    failures: u32,
    since: Duration,
}

/// What [`Health::check`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Healthy,
    /// Unhealthy for so long that it is tried again; so many failures were forgotten.
    Forced(u32),
    Unhealthy,
}

#[derive(Debug, Default)]
pub(super) struct Health {
    records: BTreeMap<String, Record>,
}

impl Health {
    /// Whether `entry` may be fed.
    pub(super) fn check<D>(&mut self, entry: &Entry<D>, now: Duration) -> Checked {
        let record = self.record(entry, now);
        if record.failures < entry.unhealthy_requests_limit {
            Checked::Healthy
        } else if now.saturating_sub(record.since) > entry.unhealthy_interval {
            let failures = record.failures;
            *record = Record {
                failures: 0,
                since: now,
            };
            Checked::Forced(failures)
        } else {
            Checked::Unhealthy
        }
    }

    /// Notes an answer. Gives the number of failures when they reach the limit.
    pub(super) fn note<D>(&mut self, entry: &Entry<D>, now: Duration, good: bool) -> Option<u32> {
        let record = self.record(entry, now);
        if good {
            *record = Record {
                failures: 0,
                since: now,
            };
            return None;
        }
        record.failures = record.failures.saturating_add(1);
        (record.failures >= entry.unhealthy_requests_limit).then_some(record.failures)
    }

    /// Forgets everything, as a reload does (RUN-SCH-11).
    pub(super) fn clear(&mut self) {
        self.records.clear();
    }

    fn record<D>(&mut self, entry: &Entry<D>, now: Duration) -> &mut Record {
        self.records.entry(entry.health_key()).or_insert(Record {
            failures: 0,
            since: now,
        })
    }
}
