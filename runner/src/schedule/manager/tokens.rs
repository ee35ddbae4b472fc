//! The manager replaces tokens that expire (runner.md 4.4).

use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument as _;

use super::imp::Owner;
use super::polling::Message;
use super::rotation::{TokenKey, key};
use super::state::plan;
use crate::client::{CallFailure, ResetOutcome};
use crate::config::Config;
use crate::logging::{self, runner_span};

impl Owner {
    /// When a token is to be replaced next.
    pub(super) fn rotation_due(&self) -> Option<Instant> {
        if self.shutdown.has_begun() {
            return None;
        }
        let (due, _) = self.rotation.turn()?;
        let wait = Duration::try_from(due.duration_since(self.options.clock.now()));
        let wait = wait.unwrap_or_default();
        // Looked at again with every turn of the loop, so a clock that is set does no harm.
        Some(Instant::now() + wait.min(Duration::from_hours(24)))
    }

    /// Asks for a new token, if one is due.
    pub(super) fn rotate(&mut self) {
        let Some((due, index)) = self.rotation.turn() else {
            return;
        };
        if due > self.options.clock.now() {
            return;
        }
        let entry = self.config.runners()[index].clone();
        let span = runner_span(protocol::token::short(&entry.token), &entry.name);
        if !self.rotation.begin(&entry) {
            let _entered = span.entered();
            let time = entry.token_expires_at.map(|time| time.to_string());
            tracing::warn!(
                token_expires_at = time,
                "The token is due to be replaced, but FF_DISABLE_AUTOMATIC_TOKEN_ROTATION is on: no token is replaced any more"
            );
            return;
        }
        let old = key(&entry);
        let max_age = self.config.connection_max_age();
        let client = match self
            .clients
            .find(&entry, max_age, &self.options, &self.metrics)
        {
            Ok(client) => client,
            Err(error) => {
                let outcome = Err(CallFailure::Failed(error.to_string()));
                return self.token_reset(old, outcome);
            }
        };
        let sender = self.sender.clone();
        let reset = async move {
            let outcome = client.reset_token(&entry.token).await;
            // The manager waits for this before it ends.
            let _ = sender.send(Message::TokenReset { old, outcome });
        };
        drop(logging::spawn(reset.instrument(span)));
    }

    /// The answer of the server.
    pub(super) fn token_reset(&mut self, old: TokenKey, outcome: ResetOutcome) {
        let now = self.options.clock.now();
        let Ok(answer) = outcome else {
            let runner = protocol::token::short(&old.1).to_owned();
            let pause = self.rotation.failed(old, now);
            self.rotation.plan(&self.config);
            tracing::warn!(
                runner,
                "The token could not be replaced; next try in {}",
                logging::go_duration(pause)
            );
            return;
        };
        self.rotation.succeeded(old, &answer, now);
        let config = self.config.clone();
        self.config = self.with_renewed_tokens(config);
        self.rotation.plan(&self.config);
        self.clients.retain(&self.config);
        let now = self.now();
        self.scheduler.reload(
            plan(&self.config, &self.options, self.sessions.as_ref()),
            now,
        );
        self.save_tokens();
    }

    /// The configuration with tokens that have been replaced since it was written.
    pub(super) fn with_renewed_tokens(&mut self, mut config: Config) -> Config {
        match self.rotation.renew(&mut config) {
            Ok(true) => self.rotation.unsaved = true,
            Ok(false) => {}
            Err(error) => tracing::error!("Failed to use the new token: {error}"),
        }
        config
    }

    /// Writes new tokens into the file as it is now, so that an edit that was not read yet stays. What
    /// cannot be written is tried again with the next look at the file.
    pub(super) fn save_tokens(&mut self) {
        if !self.rotation.unsaved {
            return;
        }
        let source = std::sync::Arc::clone(&self.options.config);
        let saved = source.load().and_then(|mut file| {
            if self.rotation.renew(&mut file)? {
                source.save(&file)?;
            }
            Ok(file)
        });
        self.metrics.saved(saved.is_ok());
        match saved {
            Ok(file) => {
                self.rotation.unsaved = false;
                if file == self.config {
                    // Our own change is no reason to read the file.
                    self.reload.remember(source.as_ref());
                }
            }
            Err(error) => tracing::error!("Failed to save the new token: {error}"),
        }
    }
}
