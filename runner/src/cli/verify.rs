//! `verify` (runner.md 2.5).

use protocol::runners::VerifyRequest;
use tracing::Instrument as _;

use super::Failure;
use super::options::Given;
use super::options::commands::Invocation;
use super::session;
use crate::client::VerifyOutcome;
use crate::config::RunnerConfig;

fn is_selected(given: &Given, entry: &RunnerConfig) -> bool {
    let (name, url, token) = (given.text("name"), given.text("url"), given.text("token"));
    if name.is_empty() && token.is_empty() && url.is_empty() {
        return true;
    }
    let is_any = |url: &str| url.is_empty() || url == "*";
    let by_name = !name.is_empty() && name == entry.name;
    let by_token = !token.is_empty()
        && token == entry.token
        && (is_any(url) || is_any(&entry.url) || url == entry.url);
    by_name || by_token
}

pub(super) fn verify(invocation: &Invocation) -> Result<(), Failure> {
    session::say_mode(true);
    let given = &invocation.given;
    let path = invocation.config();
    let (mut config, system_id) = session::load(&path).map_err(Failure::Fatal)?;
    let selected: Vec<RunnerConfig> = config
        .runners()
        .iter()
        .filter(|entry| is_selected(given, entry))
        .cloned()
        .collect();
    let filtered = ["name", "url", "token"]
        .iter()
        .any(|option| !given.text(option).is_empty());
    if selected.is_empty() && filtered {
        return Err(Failure::Fatal(
            "mutate config: no runner matches the filtering parameters".to_owned(),
        ));
    }
    let gone = session::block_on(async {
        let mut gone = Vec::new();
        for entry in &selected {
            let check = is_alive(entry, &system_id, &path).instrument(session::span(entry));
            if !check.await {
                gone.push((entry.url.clone(), entry.token.clone()));
            }
        }
        gone
    })?;
    if gone.is_empty() {
        return Ok(());
    }
    if !given.switch("delete") {
        return Err(Failure::Fatal("Failed to verify runners".to_owned()));
    }
    config.retain(|entry| !gone.contains(&(entry.url.clone(), entry.token.clone())));
    session::save(&config, &path)?;
    tracing::info!("Updated {}", path.display());
    Ok(())
}

/// Only a 403 says that a runner is gone (RUN-CLI-17).
async fn is_alive(entry: &RunnerConfig, system_id: &str, path: &std::path::Path) -> bool {
    let client = match session::client(entry, path) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(status = error, "Verifying runner... client error");
            return true;
        }
    };
    let request = VerifyRequest {
        info: Some(session::info(&entry.executor, &entry.shell)),
        token: entry.token.clone(),
        system_id: system_id.to_owned(),
    };
    client.verify(&request).await != VerifyOutcome::Invalid
}
