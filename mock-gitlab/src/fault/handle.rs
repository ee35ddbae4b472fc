//! The rules that a running server shares.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::rule::{FaultError, FaultRule};
use super::rules::{Decision, FaultId, FaultRequest, FaultRules, FaultState, FaultsSnapshot};
use crate::http::Now;
use crate::world::{JobId, RunnerId, World};

/// The faults of a server. A clone is the same set of rules.
///
/// Without rules a request costs one look at a flag.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    world: Arc<Mutex<World>>,
    now: Now,
    rules: Mutex<FaultRules>,
    /// Whether `rules` has to be asked at all.
    active: AtomicBool,
    /// Cancelled by a restart, and replaced.
    life: Mutex<CancellationToken>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}

impl Faults {
    /// No faults yet. `seed` is the world's.
    pub fn new(world: Arc<Mutex<World>>, now: Now, seed: u64) -> Faults {
        Faults(Arc::new(Inner {
            world,
            now,
            rules: Mutex::new(FaultRules::new(seed)),
            active: AtomicBool::new(false),
            life: Mutex::default(),
        }))
    }

    /// Adds a rule.
    pub fn add(&self, rule: FaultRule) -> Result<FaultId, FaultError> {
        self.change(|rules, now| rules.add(now, rule))
    }

    /// Takes a rule back; false if there is none with this id.
    pub fn remove(&self, id: FaultId) -> bool {
        self.change(|rules, _| rules.remove(id))
    }

    /// Takes every rule back, and ends a restart.
    pub fn clear(&self) {
        self.change(|rules, _| rules.clear());
    }

    /// Rules, oldest first, also spent ones that have not made room for others.
    pub fn all(&self) -> Vec<FaultState> {
        self.rules().states().to_vec()
    }

    /// One rule.
    pub fn get(&self, id: FaultId) -> Option<FaultState> {
        let rules = self.rules();
        rules.states().iter().find(|state| state.id == id).cloned()
    }

    /// All rules as a value.
    pub fn snapshot(&self) -> FaultsSnapshot {
        self.rules().snapshot()
    }

    /// Puts other rules in place of all of these. Connections stay.
    pub fn replace(&self, other: FaultRules) {
        self.change(|rules, _| *rules = other);
    }

    /// The server restarts: every open connection is reset, and every new one for `down`. What was
    /// stored stays.
    pub fn restart(&self, down: Duration) {
        self.change(|rules, now| rules.restart(now, down));
        let mut life = self.0.life.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *life).cancel();
    }

    /// Cancelled by the next restart.
    pub(crate) fn life(&self) -> CancellationToken {
        let life = self.0.life.lock().unwrap_or_else(PoisonError::into_inner);
        life.clone()
    }

    /// Whether anything can go wrong.
    pub(super) fn active(&self) -> bool {
        self.0.active.load(Ordering::Relaxed)
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.0.now)()
    }

    pub(super) fn asks_for_runner(&self, call: super::Call) -> bool {
        self.rules().asks_for_runner(self.now(), call)
    }

    pub(super) fn decide(&self, request: FaultRequest) -> Option<Decision> {
        self.change(|rules, now| rules.decide(now, request))
    }

    /// The runner that has or had a job.
    pub(super) fn runner_of_job(&self, job: JobId) -> Option<RunnerId> {
        self.world().job(job)?.runner()
    }

    pub(super) fn runner_of_token(&self, token: &str) -> Option<RunnerId> {
        self.world().runner_by_token(token).map(|runner| runner.id)
    }

    fn change<T>(&self, change: impl FnOnce(&mut FaultRules, Timestamp) -> T) -> T {
        let now = self.now();
        let mut rules = self.rules();
        let result = change(&mut rules, now);
        let active = rules.is_active(now);
        self.0.active.store(active, Ordering::Relaxed);
        result
    }

    fn rules(&self) -> MutexGuard<'_, FaultRules> {
        // Rules have no invariants that a panic could break.
        self.0.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
