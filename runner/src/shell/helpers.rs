//! Stages that call helper commands: caches and artifacts (runner.md 11, 12).

use super::ScriptWriter;
use super::stages::{ScriptContext, enter_project};

/// Why a script cannot be written: the stage fails as a system failure (RUN-JOB-29).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScriptError(pub String);

/// Ends the stage, because this runner has no such helper command.
fn missing(script: &mut ScriptWriter, context: &ScriptContext<'_>, what: &str) {
    enter_project(script, context);
    script.error(&format!(
        "ERROR: this runner cannot {what} yet; use the official runner for this job, or remove it from the job"
    ));
    script.line("exit 1");
}

pub(super) fn restore_cache(
    script: &mut ScriptWriter,
    context: &ScriptContext<'_>,
) -> Result<bool, ScriptError> {
    if !has_caches(context) {
        return Ok(false);
    }
    missing(script, context, "restore caches");
    Ok(true)
}

pub(super) fn archive_cache(
    script: &mut ScriptWriter,
    context: &ScriptContext<'_>,
    success: bool,
) -> Result<bool, ScriptError> {
    let wanted = context.payload.cache.as_slice().iter().any(|cache| {
        let used = cache.untracked.get() || !cache.paths.as_slice().is_empty();
        used && applies(cache.when.as_str(), success)
    });
    if !wanted {
        return Ok(false);
    }
    missing(script, context, "save caches");
    Ok(true)
}

pub(super) fn download_artifacts(script: &mut ScriptWriter, context: &ScriptContext<'_>) -> bool {
    let dependencies = context.payload.dependencies.as_slice();
    let any = dependencies
        .iter()
        .any(|dependency| !dependency.artifacts_file.get().filename.as_str().is_empty());
    if any {
        missing(script, context, "download artifacts");
    }
    any
}

pub(super) fn upload_artifacts(
    script: &mut ScriptWriter,
    context: &ScriptContext<'_>,
    success: bool,
) -> bool {
    let any = context.payload.artifacts.as_slice().iter().any(|artifact| {
        let used = artifact.untracked.get()
            || !artifact.paths.as_slice().is_empty()
            || !artifact.exclude.as_slice().is_empty();
        used && applies(artifact.when.as_str(), success)
    });
    if any {
        missing(script, context, "upload artifacts");
    }
    any
}

fn has_caches(context: &ScriptContext<'_>) -> bool {
    let caches = context.payload.cache.as_slice();
    caches
        .iter()
        .any(|cache| cache.untracked.get() || !cache.paths.as_slice().is_empty())
}

/// Whether `when` of an artifact or a cache fits how the job went.
fn applies(when: &str, success: bool) -> bool {
    match when {
        "" | "on_success" => success,
        "on_failure" => !success,
        "always" => true,
        _ => false,
    }
}
