//! `unregister` (runner.md 2.5).

use std::path::Path;

use tracing::Instrument as _;

use super::Failure;
use super::options::Given;
use super::options::commands::Invocation;
use super::session;
use crate::config::{Config, RunnerConfig};

pub(super) fn unregister(invocation: &Invocation) -> Result<(), Failure> {
    session::say_mode(false);
    let failed = |error: String| Failure::FatalError("failed to unregister runner", error);
    let given = &invocation.given;
    let path = invocation.config();
    let (mut config, system_id) = session::load(&path).map_err(failed)?;
    if given.switch("all-runners") {
        unregister_all(&mut config, &system_id, &path)?;
    } else {
        let cause = |text: String| failed(format!("mutate config: unregister runner: {text}"));
        let entry = pick(given, &config).map_err(cause)?;
        let gone =
            session::block_on(leave(&entry, &system_id, &path).instrument(session::span(&entry)))?;
        if !gone {
            return Err(cause(format!(
                "failed to unregister runner {:?}",
                given.text("name")
            )));
        }
        config.retain(|other| !same_credentials(other, &entry));
    }
    session::save(&config, &path)?;
    tracing::info!("Updated {}", path.display());
    Ok(())
}

/// The entry that is meant: the first one that fits name, token, or both.
fn pick(given: &Given, config: &Config) -> Result<RunnerConfig, String> {
    let (name, token) = (given.text("name"), given.text("token"));
    let fits = |entry: &&RunnerConfig| {
        (name.is_empty() || entry.name == name) && (token.is_empty() || entry.token == token)
    };
    let missing = match (name, token) {
        ("", "") => return Err("at least one of --name or --token must be specified".to_owned()),
        (name, "") => format!("could not find a runner with the name '{name}'"),
        ("", token) => format!(
            "could not find a runner with the token '{}'",
            protocol::token::short(token)
        ),
        (name, token) => {
            format!("could not find a runner with the Name '{name}' and Token '{token}'")
        }
    };
    let entry = config.runners().iter().find(fits);
    entry
        .cloned()
        .ok_or_else(|| format!("get runner by token or name: {missing}"))
}

/// Entries that are the same to the server (RUN-CLI-18).
fn same_credentials(left: &RunnerConfig, right: &RunnerConfig) -> bool {
    let key = |entry: &RunnerConfig| {
        (
            entry.url.clone(),
            entry.id,
            entry.token.clone(),
            entry.token_obtained_at,
            entry.token_expires_at,
            entry.tls_ca_file.clone(),
            entry.tls_cert_file.clone(),
            entry.tls_key_file.clone(),
        )
    };
    key(left) == key(right)
}

/// Unregisters every entry; those that fail stay (RUN-CLI-19).
fn unregister_all(config: &mut Config, system_id: &str, path: &Path) -> Result<(), Failure> {
    tracing::warn!("Unregistering all runners");
    let entries = config.runners().to_vec();
    let stays: Vec<bool> = session::block_on(async {
        let mut stays = Vec::new();
        for entry in &entries {
            stays.push(
                !leave(entry, system_id, path)
                    .instrument(session::span(entry))
                    .await,
            );
        }
        stays
    })?;
    if stays.contains(&true) {
        tracing::error!("Failed to unregister runners");
    }
    let mut stays = stays.into_iter();
    config.retain(|_| stays.next().unwrap_or(true));
    Ok(())
}

/// Tells the server; whether it worked. A created token loses only this manager.
pub(super) async fn leave(entry: &RunnerConfig, system_id: &str, path: &Path) -> bool {
    let client = match session::client(entry, path) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(
                status = error,
                "Unregistering runner from GitLab client error"
            );
            return false;
        }
    };
    let result = if protocol::token::is_created(&entry.token) {
        client.unregister_manager(&entry.token, system_id).await
    } else {
        client.unregister_runner(&entry.token).await
    };
    result.is_ok()
}
