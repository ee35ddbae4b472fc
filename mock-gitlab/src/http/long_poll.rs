//! Polls that are held until there may be a job: what workhorse, GitLab's proxy, does before the
//! application sees a poll (queueing.md 7, "Workhorse").
//!
//! A poll whose `last_update` is the current value would be answered 204 anyway. It is held until the
//! value changes, until the time is up, or until the server stops, and then answered 204 without
//! `X-GitLab-Last-Update` in all three cases; the runner's next poll gets the job. The application never
//! sees it, so it is no heartbeat. Time is the server's: a clock that is put forward brings the end
//! nearer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::state::{Peer, State};
use crate::clock::ServerClock;
use crate::world::{RunnerId, TickListener};

/// Who waits for which runner's value to change.
#[derive(Debug, Default)]
pub(super) struct HeldPolls(Mutex<BTreeMap<RunnerId, watch::Sender<()>>>);

impl HeldPolls {
    fn subscribe(&self, runner: RunnerId) -> watch::Receiver<()> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting
            .entry(runner)
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe()
    }

    /// The receivers see that their sender is gone.
    fn wake(&self, runner: RunnerId) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&runner);
    }
}

impl State {
    /// Hears of new values from now on.
    pub(super) fn listen(&self) {
        let held = Arc::clone(&self.held);
        let listener = TickListener(Arc::new(move |runner| held.wake(runner)));
        self.call(|world, _| world.set_tick_listener(listener));
    }

    /// Holds a poll, if it has to be held; true when it was, and its answer is 204. `connection` is told.
    pub(super) async fn hold(
        &self,
        token: &str,
        last_update: &str,
        connection: Option<&Peer>,
    ) -> bool {
        if token.is_empty() || last_update.is_empty() {
            return false;
        }
        // Before the time is read, so that no jump falls between the two.
        let mut jumps = self.clock.as_ref().map(ServerClock::jumps);
        // Looked at and waited for in one lock, so that no change falls between the two.
        let waiting = self.call(|world, now| {
            let duration = world.settings().api_ci_long_polling_duration_s;
            if duration == 0 || *world.queue_value(now, token)? != *last_update {
                return None;
            }
            let runner = world.runner_by_token(token)?.id;
            let duration = Duration::from_secs(duration);
            Some((now, duration, self.held.subscribe(runner)))
        });
        let Some((start, duration, mut changed)) = waiting else {
            return false;
        };
        let _held = connection.map(Peer::hold);
        let mut left = duration;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return true,
                _ = changed.changed() => return true,
                () = jump(&mut jumps) => {
                    let passed = (self.now)().duration_since(start);
                    // A clock that was put back does not make it longer.
                    let passed = Duration::try_from(passed).unwrap_or_default();
                    left = duration.saturating_sub(passed);
                }
                () = tokio::time::sleep(left) => return true,
            }
        }
    }
}

/// Until the clock is put forward or back; never without a clock that can be.
async fn jump(jumps: &mut Option<watch::Receiver<()>>) {
    if let Some(jumps) = jumps
        && jumps.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}
