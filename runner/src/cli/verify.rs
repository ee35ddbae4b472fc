//! `verify` (runner.md 2.5).

use protocol::runners::VerifyRequest;
use tracing::Instrument as _;

use super::Failure;
use super::args::VerifyArgs;
use super::session;
use crate::client::VerifyOutcome;
use crate::config::RunnerConfig;

fn is_selected(args: &VerifyArgs, entry: &RunnerConfig) -> bool {
    if args.name.is_empty() && args.token.is_empty() && args.url.is_empty() {
        return true;
    }
    let is_any = |url: &str| url.is_empty() || url == "*";
    let by_name = !args.name.is_empty() && args.name == entry.name;
    let by_token = !args.token.is_empty()
        && args.token == entry.token
        && (is_any(&args.url) || is_any(&entry.url) || args.url == entry.url);
    by_name || by_token
}

pub(super) fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    session::say_mode(true);
    let path = args.config.path();
    let (mut config, system_id) = session::load(&path).map_err(Failure::Fatal)?;
    let selected: Vec<RunnerConfig> = config
        .runners()
        .iter()
        .filter(|entry| is_selected(args, entry))
        .cloned()
        .collect();
    let filtered = !(args.name.is_empty() && args.token.is_empty() && args.url.is_empty());
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
    if !args.delete {
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
