//! `list` (runner.md 2.2, RUN-CLI-20).

use super::Failure;
use super::options::commands::Invocation;
use super::session;

#[expect(
    clippy::unnecessary_wraps,
    reason = "a command gives a result, and this one cannot fail"
)]
pub(super) fn list(invocation: &Invocation) -> Result<(), Failure> {
    let path = invocation.config();
    let config = match session::load(&path) {
        Ok((config, _)) => config,
        Err(error) => {
            tracing::warn!("{error}");
            return Ok(());
        }
    };
    tracing::info!(ConfigFile = %path.display(), "Listing configured runners");
    for entry in config.runners() {
        // The whole token, as the official runner shows it: this is where an operator looks it up.
        tracing::info!(
            Executor = entry.executor,
            Token = entry.token,
            URL = entry.url,
            "{}",
            entry.name
        );
    }
    Ok(())
}
