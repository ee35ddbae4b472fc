//! All events of a run. Every source of events writes here, so there is one order.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::event::{Event, What};
use super::pattern;

/// A log of events. A clone is the same log.
#[derive(Clone, Debug)]
pub struct EventLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    start: Instant,
    events: Mutex<Vec<Event>>,
    changed: Notify,
}

impl EventLog {
    /// An empty log; time counts from now, in tokio's clock.
    pub fn begin() -> EventLog {
        EventLog(Arc::new(Shared {
            start: Instant::now(),
            events: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// When it began.
    pub fn start(&self) -> Instant {
        self.0.start
    }

    /// Adds an event that happens now.
    pub fn add(&self, who: impl Into<String>, what: What) {
        self.add_at(Instant::now(), who, what);
    }

    /// Adds an event that happened at `when`.
    pub fn add_at(&self, when: Instant, who: impl Into<String>, what: What) {
        {
            let mut events = self.0.events.lock().unwrap_or_else(PoisonError::into_inner);
            let seq = events.len() as u64 + 1;
            events.push(Event {
                seq,
                at: when.saturating_duration_since(self.0.start),
                who: who.into(),
                what,
            });
        }
        self.0.changed.notify_waiters();
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        self.read(<[Event]>::to_vec)
    }

    fn read<T>(&self, look: impl FnOnce(&[Event]) -> T) -> T {
        look(&self.0.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many events fit a pattern.
    pub fn count(&self, text: &str) -> usize {
        self.read(|events| {
            events
                .iter()
                .filter(|event| pattern::fits(text, &event.to_string()))
                .count()
        })
    }

    /// Jobs in the order in which they were handed out.
    pub fn picks(&self) -> Vec<i64> {
        self.read(picks)
    }

    /// Waits until `condition` holds. It is looked at after every event.
    pub async fn until(&self, condition: impl Fn(&EventLog) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no event in between is missed.
            changed.as_mut().enable();
            if condition(self) {
                return;
            }
            changed.await;
        }
    }

    /// The log as JSON lines.
    pub fn to_json_lines(&self) -> String {
        self.read(json_lines)
    }
}

/// Events as JSON lines.
pub fn json_lines(events: &[Event]) -> String {
    events.iter().fold(String::new(), |mut text, event| {
        // An event has neither maps with odd keys nor numbers that JSON cannot write.
        if let Ok(line) = serde_json::to_string(event) {
            let _ = writeln!(text, "{line}");
        }
        text
    })
}

/// Jobs in the order in which they were handed out.
pub fn picks(events: &[Event]) -> Vec<i64> {
    events
        .iter()
        .filter_map(|event| match &event.what {
            What::Request {
                kind: "poll",
                status: 201,
                answer,
                ..
            } => answer.strip_prefix("job ")?.parse().ok(),
            _ => None,
        })
        .collect()
}
