//! The `last_update` value and its ticks (queueing.md 7).

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::world::core::{World, hex};
use crate::world::deadline::{after, seconds_between};
use crate::world::text::Text;
use crate::world::{JobId, RunnerId};

/// Only runners that were heard of in this time are ticked, s.
const TICK_WITHIN_S: i64 = 3 * 3600;

/// Told of every runner that gets a new `last_update` value. It must not call the world, which is busy.
#[derive(Clone)]
pub struct TickListener(pub Arc<dyn Fn(RunnerId) + Send + Sync>);

impl fmt::Debug for TickListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TickListener")
    }
}

impl World {
    /// Who is told of new `last_update` values: a front end that holds polls.
    pub fn set_tick_listener(&mut self, listener: TickListener) {
        self.tick_listener = Some(listener);
    }

    /// The current `last_update` value of the runner with this token, as a front end that holds polls
    /// (long polling, queueing.md 7) compares it. `None` for an unknown token.
    pub fn queue_value(&mut self, now: Timestamp, token: &str) -> Option<Text> {
        let id = self.runner_with_token(now, token)?;
        self.read_queue_value(now, id)
    }

    /// Reads the value; makes it if it is absent or lapsed. Reading does not prolong its life.
    pub(in crate::world) fn read_queue_value(
        &mut self,
        now: Timestamp,
        id: RunnerId,
    ) -> Option<Text> {
        let entry = self.runners.get_mut(&id)?;
        if let Some((value, end)) = &entry.queue_value
            && now < *end
        {
            return Some(value.clone());
        }
        let value = Text::from(hex(&mut self.random));
        let end = after(now, self.settings.last_update_ttl_s);
        entry.queue_value = Some((value.clone(), end));
        self.armed.insert(id);
        Some(value)
    }

    /// A new value for one runner. The value itself is made by the next read: between the two nobody
    /// can tell the difference.
    pub(in crate::world) fn tick_runner(&mut self, id: RunnerId) {
        if let Some(entry) = self.runners.get_mut(&id) {
            entry.queue_value = None;
        }
        self.armed.remove(&id);
        if let Some(TickListener(listener)) = &self.tick_listener {
            listener(id);
        }
    }

    /// A job became pending: every runner that could take it and was heard of lately gets a new value.
    ///
    /// Looks only at runners whose value somebody may hold: a second tick before the next poll changes
    /// nothing. Costs `O(such runners)`.
    pub(in crate::world) fn tick_runners(&mut self, now: Timestamp, job: JobId) {
        if self.armed.is_empty() {
            return;
        }
        let Some(snapshot) = self.queue.snapshot(job) else {
            return;
        };
        let mut ticked = Vec::new();
        for id in &self.armed {
            let Some(entry) = self.runners.get(id) else {
                continue;
            };
            let heard = entry
                .record
                .contacted_at
                .is_some_and(|at| seconds_between(at, now) < TICK_WITHIN_S);
            if heard && entry.may_take(snapshot) {
                ticked.push(*id);
            }
        }
        for id in ticked {
            self.tick_runner(id);
        }
    }
}
