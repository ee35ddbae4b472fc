//! `register --template-config` (runner.md 2.3, RUN-CLI-11).

use std::path::Path;

use super::Failure;
use crate::config::{Config, Section};

/// Fills what the command line left open from the one entry of the file at `path`.
pub(super) fn merge(path: &Path, entry: &mut Section) -> Result<(), Failure> {
    tracing::info!(
        "Merging configuration from template file \"{}\"",
        path.display()
    );
    let failed = |error: String| {
        Failure::FatalError(
            "Could not handle configuration merging from template file",
            error,
        )
    };
    let template = Config::load(path).map_err(|error| {
        failed(format!(
            "couldn't load configuration template file: {error}"
        ))
    })?;
    let [only] = template.entries() else {
        return Err(failed(
            "configuration template must contain exactly one [[runners]] entry".to_owned(),
        ));
    };
    entry.fill_from(only);
    Ok(())
}
