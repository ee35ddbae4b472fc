//! The engine.

use std::time::Duration;

use jiff::Timestamp;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::Call;
use super::rule::{FaultError, FaultRule};
use crate::world::RunnerId;
use crate::world::random::RandomState;

/// Most rules that are kept, spent ones included.
pub(super) const MOST_RULES: usize = 1000;

/// Id of a rule; counts from 1 and is never used again.
pub type FaultId = u64;

/// What the engine has to know of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultRequest {
    /// Call.
    pub call: Call,
    /// Who calls, as far as that is known; see [`FaultRules::asks_for_runner`].
    pub runner: Option<RunnerId>,
}

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The server is down: the connection is reset.
    Down,
    /// This rule holds.
    Fault(FaultId, Box<FaultRule>),
}

/// A rule and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FaultState {
    /// Id.
    pub id: FaultId,
    /// The rule.
    pub rule: FaultRule,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// Requests that fitted.
    pub seen: u64,
    /// Requests that got it.
    pub hits: u64,
}

/// All rules as a value: what goes wrong from here on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultsSnapshot {
    /// Rules, oldest first, also spent ones.
    rules: Vec<FaultState>,
    /// Id of the next rule.
    next: FaultId,
    /// The generator of chances.
    #[schema(value_type = Object)]
    random: RandomState,
    /// Until when the server is down; absent when it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    down_until: Option<Timestamp>,
}

/// All rules. Where several hold, the oldest wins; the others count the request too.
#[derive(Clone, Debug)]
pub struct FaultRules {
    rules: Vec<FaultState>,
    next: FaultId,
    random: ChaCha8Rng,
    down_until: Option<Timestamp>,
}

impl FaultRules {
    /// No rules. `seed` decides chances.
    pub fn new(seed: u64) -> FaultRules {
        FaultRules {
            rules: Vec::new(),
            next: 1,
            random: ChaCha8Rng::seed_from_u64(seed),
            down_until: None,
        }
    }

    /// The rules as a value.
    pub fn snapshot(&self) -> FaultsSnapshot {
        FaultsSnapshot {
            rules: self.rules.clone(),
            next: self.next,
            random: RandomState::of(&self.random),
            down_until: self.down_until,
        }
    }

    /// The rules of a value.
    pub fn of_snapshot(snapshot: FaultsSnapshot) -> Result<FaultRules, FaultError> {
        let FaultsSnapshot {
            rules,
            next,
            random,
            down_until,
        } = snapshot;
        let value = |member, problem: &str| FaultError::Value {
            member,
            problem: problem.to_owned(),
        };
        if rules.len() > MOST_RULES {
            return Err(FaultError::TooMany(rules.len()));
        }
        let mut least = 1;
        for state in &rules {
            if !(least..next).contains(&state.id) {
                return Err(value("rules", "ids have to ascend from 1 up to below next"));
            }
            least = state.id + 1;
            state.rule.check()?;
        }
        let random = random
            .generator()
            .ok_or_else(|| value("random", "word is no number"))?;
        Ok(FaultRules {
            rules,
            next,
            random,
            down_until,
        })
    }

    /// Adds a rule that holds from now on. Where there is no room, the oldest spent rule is forgotten.
    pub fn add(&mut self, now: Timestamp, rule: FaultRule) -> Result<FaultId, FaultError> {
        rule.check()?;
        if self.rules.len() >= MOST_RULES {
            match self.rules.iter().position(|state| state.is_spent(now)) {
                Some(spent) => drop(self.rules.remove(spent)),
                None => return Err(FaultError::TooMany(self.rules.len())),
            }
        }
        let id = self.next;
        self.next += 1;
        self.rules.push(FaultState {
            id,
            rule,
            made_at: now,
            seen: 0,
            hits: 0,
        });
        Ok(id)
    }

    /// Takes a rule back; false if there is none with this id.
    pub fn remove(&mut self, id: FaultId) -> bool {
        let before = self.rules.len();
        self.rules.retain(|state| state.id != id);
        self.rules.len() < before
    }

    /// Takes every rule back, and ends a restart.
    pub fn clear(&mut self) {
        self.rules.clear();
        self.down_until = None;
    }

    /// Rules, oldest first, also spent ones that have not made room for others.
    pub fn states(&self) -> &[FaultState] {
        &self.rules
    }

    /// The server is down for this time.
    pub fn restart(&mut self, now: Timestamp, down: Duration) {
        self.down_until = Some(now.saturating_add(down).unwrap_or(Timestamp::MAX));
    }

    /// Whether anything can go wrong from now on.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.is_down(now) || self.rules.iter().any(|state| !state.is_spent(now))
    }

    /// Whether a rule wants to know who calls.
    pub fn asks_for_runner(&self, now: Timestamp, call: Call) -> bool {
        self.rules.iter().any(|state| {
            let rule = &state.rule;
            rule.runner.is_some() && rule.fits(call, rule.runner) && !state.is_spent(now)
        })
    }

    /// Counts a request, and says what goes wrong with it.
    pub fn decide(&mut self, now: Timestamp, request: FaultRequest) -> Option<Decision> {
        if self.is_down(now) {
            return Some(Decision::Down);
        }
        self.down_until = None;
        let mut chosen = None;
        for state in &mut self.rules {
            if !state.rule.fits(request.call, request.runner) || state.is_spent(now) {
                continue;
            }
            state.seen += 1;
            if state.seen < state.rule.nth.unwrap_or(1) || chosen.is_some() {
                continue;
            }
            if let Some(chance) = state.rule.probability
                && !self.random.random_bool(chance)
            {
                continue;
            }
            state.hits += 1;
            chosen = Some(Decision::Fault(state.id, Box::new(state.rule.clone())));
        }
        chosen
    }

    fn is_down(&self, now: Timestamp) -> bool {
        self.down_until.is_some_and(|until| now < until)
    }
}

impl FaultState {
    /// Whether no further request can get it.
    pub fn is_spent(&self, now: Timestamp) -> bool {
        let rule = &self.rule;
        let over = rule.for_ms.is_some_and(|span| {
            let span = Duration::from_millis(span);
            self.made_at
                .saturating_add(span)
                .is_ok_and(|end| end <= now)
        });
        // With a chance the hits are counted, without one the requests: then the rule says which of
        // them it is for, whether another rule had them or not.
        let counted = if rule.probability.is_some() {
            self.hits
        } else {
            (self.seen + 1).saturating_sub(rule.nth.unwrap_or(1))
        };
        over || counted >= rule.most()
    }
}
