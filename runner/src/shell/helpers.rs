//! Stages that call helper commands: caches and artifacts (runner.md 11, 12).

use protocol::job_payload::Cache;

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
    let mut any = false;
    for cache in caches(context) {
        any |= policy(cache, context)? != Policy::Push;
    }
    if any {
        missing(script, context, "restore caches");
    }
    Ok(any)
}

pub(super) fn archive_cache(
    script: &mut ScriptWriter,
    context: &ScriptContext<'_>,
    success: bool,
) -> Result<bool, ScriptError> {
    let mut any = false;
    for cache in caches(context).filter(|cache| applies(cache.when.as_str(), success)) {
        any |= policy(cache, context)? != Policy::Pull;
    }
    if any {
        missing(script, context, "save caches");
    }
    Ok(any)
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

/// Caches that hold anything.
fn caches<'a>(context: &ScriptContext<'a>) -> impl Iterator<Item = &'a Cache> {
    let caches = context.payload.cache.as_slice();
    caches
        .iter()
        .filter(|cache| cache.untracked.get() || !cache.paths.as_slice().is_empty())
}

/// Which way a cache goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    PullPush,
    Pull,
    Push,
}

/// The policy of a cache, which may hold variables.
fn policy(cache: &Cache, context: &ScriptContext<'_>) -> Result<Policy, ScriptError> {
    match context.variables.expand(cache.policy.as_str()).as_str() {
        "" | "pull-push" => Ok(Policy::PullPush),
        "pull" => Ok(Policy::Pull),
        "push" => Ok(Policy::Push),
        other => Err(ScriptError(format!(
            "unknown cache policy {other} for {}",
            cache.key.as_str()
        ))),
    }
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
