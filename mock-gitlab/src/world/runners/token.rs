//! Who a runner token belongs to; resets and expiry (wire.md 3.5, 7.1).

use jiff::Timestamp;
use protocol::token;

use crate::world::RunnerId;
use crate::world::answer::{ApiError, Credentials};
use crate::world::core::World;
use crate::world::deadline::after;
use crate::world::event::EventKind;
use crate::world::state::RunnerType;
use crate::world::text::Text;

impl World {
    /// The runner of a token that is there, known and not expired: 400 or 403 otherwise.
    pub(in crate::world) fn runner_of(
        &self,
        now: Timestamp,
        token: Option<&str>,
    ) -> Result<RunnerId, ApiError> {
        let token = token
            .filter(|token| !token.is_empty())
            .ok_or_else(|| ApiError::missing("token"))?;
        self.runner_with_token(now, token)
            .ok_or_else(ApiError::forbidden)
    }

    pub(in crate::world) fn runner_with_token(
        &self,
        now: Timestamp,
        token: &str,
    ) -> Option<RunnerId> {
        let id = self.runner_tokens.get(token)?;
        let record = &self.runners.get(&id)?.record;
        let valid = record.token_expires_at.is_none_or(|end| now < end);
        valid.then_some(id)
    }

    /// `POST /runners/reset_authentication_token`: 201, 400, 403.
    pub fn reset_token(
        &mut self,
        now: Timestamp,
        token: Option<&str>,
    ) -> Result<Credentials, ApiError> {
        self.begin_call(now)?;
        let id = self.runner_of(now, token)?;
        self.touch_runner(now, id);
        self.give_new_token(now, id)
    }

    /// `POST /runners/:id/reset_authentication_token` with a personal access token: 201, 401, 403, 404.
    /// Only administrators may; every other user gets 403.
    pub fn reset_token_by_id(
        &mut self,
        now: Timestamp,
        personal_access_token: Option<&str>,
        id: RunnerId,
    ) -> Result<Credentials, ApiError> {
        self.begin_call(now)?;
        let admin = self.user_of(personal_access_token)?.admin;
        if !self.runners.contains_key(&id) {
            return Err(ApiError::not_found(Some("Runner not found")));
        }
        if !admin {
            return Err(ApiError::forbidden());
        }
        self.give_new_token(now, id)
    }

    fn give_new_token(&mut self, now: Timestamp, id: RunnerId) -> Result<Credentials, ApiError> {
        let Some(entry) = self.runners.get(&id) else {
            return Err(ApiError::forbidden());
        };
        let legacy = entry.record.token.starts_with(token::LEGACY_RUNNER_PREFIX);
        let token = self.runner_token(entry.record.runner_type, legacy);
        let expires_at = self.token_expiry(now);
        if let Some(entry) = self.runners.get_mut(&id) {
            // The value belongs to the old token: pollers with the new one start anew.
            entry.queue_value = None;
            entry.record.token_expires_at = expires_at;
            let old = std::mem::replace(&mut entry.record.token, token.clone());
            self.runner_tokens.remove(&old);
        }
        self.armed.remove(&id);
        self.runner_tokens.insert(token.clone(), id);
        self.event(now, EventKind::RunnerTokenReset { runner: id });
        Ok(Credentials {
            id,
            token: token.to_string(),
            token_expires_at: expires_at,
        })
    }

    /// A new token of the form that GitLab gives to this type.
    pub(super) fn runner_token(&mut self, runner_type: RunnerType, legacy: bool) -> Text {
        if legacy {
            return self.made_up_token(token::LEGACY_RUNNER_PREFIX);
        }
        let prefix = match runner_type {
            RunnerType::InstanceType => "glrt-t1_",
            RunnerType::GroupType => "glrt-t2_",
            RunnerType::ProjectType => "glrt-t3_",
        };
        self.made_up_token(prefix)
    }

    pub(super) fn token_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        self.settings
            .runner_token_expiration_interval_s
            .map(|life| after(now, life))
    }
}

/// Compares secrets in a time that tells nothing about where they differ.
pub(in crate::world) fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let difference = a.iter().zip(b).fold(0, |seen, (a, b)| seen | (a ^ b));
    std::hint::black_box(difference) == 0
}
