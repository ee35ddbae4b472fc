//! Tokens that expire are replaced in time (runner.md 4.4, RUN-CFG-15).

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use protocol::runners::ResetTokenAnswer;

use super::state::flag;
use crate::config::{Config, ConfigError, RunnerConfig, Value};
use crate::job::Flag;

/// Pause after the first failure; each further one doubles it (WIRE-REG-17).
const FIRST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// Replaced tokens that are remembered.
const REMEMBERED: usize = 64;

/// A token of an entry: URL and token.
pub(super) type TokenKey = (String, String);

/// A token that was replaced.
#[derive(Clone, Debug)]
struct Renewed {
    old: TokenKey,
    token: String,
    obtained_at: String,
    expires_at: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    retry_at: Timestamp,
}

/// When which token is replaced, and what has been replaced.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    /// When whose turn is next; [`Rotation::plan`] keeps it, so that a turn of the manager's loop costs
    /// the same with one entry and with many.
    turn: Option<(Timestamp, usize)>,
    under_way: Option<TokenKey>,
    /// `FF_DISABLE_AUTOMATIC_TOKEN_ROTATION` ended it for the whole process.
    ended: bool,
    failures: BTreeMap<TokenKey, Failures>,
    renewed: Vec<Renewed>,
    /// A new token is in force, but not in the file yet.
    pub(super) unsaved: bool,
}

pub(super) fn key(entry: &RunnerConfig) -> TokenKey {
    (entry.url.clone(), entry.token.clone())
}

/// Three quarters of the lifetime; at once if nobody knows when it began.
fn due_at(entry: &RunnerConfig) -> Option<Timestamp> {
    let end = entry.token_expires_at?;
    if entry.token.trim().is_empty() {
        return None;
    }
    let Some(start) = entry.token_obtained_at else {
        return Some(Timestamp::UNIX_EPOCH);
    };
    let nanos = end.duration_since(start).as_nanos() / 4 * 3;
    let part = SignedDuration::from_nanos_i128(nanos);
    start.checked_add(part).ok()
}

impl Rotation {
    /// When whose turn is next: the time, and the index of the entry in the configuration of the last
    /// [`Rotation::plan`].
    pub(super) fn turn(&self) -> Option<(Timestamp, usize)> {
        let idle = !self.ended && self.under_way.is_none();
        self.turn.filter(|_| idle)
    }

    /// Finds the next turn; for every new configuration, and after every answer.
    pub(super) fn plan(&mut self, config: &Config) {
        let times = config
            .runners()
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| {
                let due = due_at(entry)?;
                let retry = self.failures.get(&key(entry));
                Some((
                    retry.map_or(due, |failures| due.max(failures.retry_at)),
                    index,
                ))
            });
        self.turn = times.min();
    }

    /// Whether an answer is waited for. The process must not end before it: the server may have replaced
    /// the token already.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// The turn of an entry has come; `false` if its flag forbids it, and with it all further ones.
    pub(super) fn begin(&mut self, entry: &RunnerConfig) -> bool {
        if flag(entry, Flag::DisableAutomaticTokenRotation) {
            self.ended = true;
            return false;
        }
        self.under_way = Some(key(entry));
        true
    }

    /// It did not work; gives the pause before the next try.
    pub(super) fn failed(&mut self, token: TokenKey, now: Timestamp) -> Duration {
        self.under_way = None;
        let count = self
            .failures
            .get(&token)
            .map_or(0, |failures| failures.count);
        let pause = FIRST_PAUSE
            .saturating_mul(2_u32.saturating_pow(count))
            .min(LONGEST_PAUSE);
        let retry_at = now.saturating_add(SignedDuration::try_from(pause).unwrap_or_default());
        let failures = Failures {
            count: count + 1,
            retry_at: retry_at.unwrap_or(now),
        };
        self.failures.insert(token, failures);
        pause
    }

    /// The server has replaced the token.
    pub(super) fn succeeded(&mut self, old: TokenKey, answer: &ResetTokenAnswer, now: Timestamp) {
        self.under_way = None;
        self.failures.remove(&old);
        self.unsaved = true;
        self.renewed.push(Renewed {
            old,
            token: answer.token.clone(),
            obtained_at: now.to_string(),
            expires_at: answer.token_expires_at.as_ref().map(ToString::to_string),
        });
        if self.renewed.len() > REMEMBERED {
            self.renewed.remove(0);
        }
    }

    /// Puts new tokens where a configuration still has old ones; whether there were any.
    pub(super) fn renew(&self, config: &mut Config) -> Result<bool, ConfigError> {
        let mut changed = false;
        for renewed in &self.renewed {
            for index in 0..config.runners().len() {
                if key(&config.runners()[index]) != renewed.old {
                    continue;
                }
                changed = true;
                config.change(index, |entry| {
                    entry.set("token", Value::Text(renewed.token.clone()));
                    entry.set(
                        "token_obtained_at",
                        Value::Time(renewed.obtained_at.clone()),
                    );
                    entry.unset("token_expires_at");
                    if let Some(time) = &renewed.expires_at {
                        entry.set("token_expires_at", Value::Time(time.clone()));
                    }
                })?;
            }
        }
        Ok(changed)
    }
}
