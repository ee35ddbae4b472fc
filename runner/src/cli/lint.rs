//! `lint` (runner.md 2.2, RUN-CLI-21). It reads the file and changes nothing.

use std::fmt::Write as _;

use super::Failure;
use super::options::commands::Invocation;
use crate::config::Config;

pub(super) fn lint(invocation: &Invocation) -> Result<(), Failure> {
    let path = invocation.config();
    if !path.exists() {
        return Err(Failure::Fatal(format!(
            "config file not found: {}",
            path.display()
        )));
    }
    let config =
        Config::load(&path).map_err(|error| Failure::Fatal(format!("decoding config: {error}")))?;
    if let Some(problems) = config.schema_problems() {
        return Err(Failure::Fatal(format!(
            "config schema validation failed: {problems}"
        )));
    }
    let unknown = config.unknown_keys();
    if !unknown.is_empty() {
        let mut text = format!(
            "{} unknown key(s) found in {}:",
            unknown.len(),
            path.display()
        );
        for key in unknown {
            let _ = write!(text, "\n  unknown key: {key}");
        }
        return Err(Failure::Fatal(text));
    }
    tracing::info!("Configuration file is valid.");
    Ok(())
}
