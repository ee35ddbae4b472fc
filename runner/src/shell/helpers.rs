//! Stages that call helper commands: caches and artifacts (runner.md 11, 12).

use protocol::job_payload::{Artifact, Cache};

use super::ScriptWriter;
use super::stages::{ScriptContext, enter_project};
use crate::git;
use crate::job::parse_bool;

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
    let wanted: Vec<_> = dependencies
        .iter()
        .filter(|dependency| !dependency.artifacts_file.get().filename.as_str().is_empty())
        .collect();
    if wanted.is_empty() {
        return false;
    }
    enter_project(script, context);
    with_runner(script, context, "Artifacts downloading", |script| {
        for dependency in wanted {
            let id = dependency.id.get().to_string();
            script.notice(&format!(
                "Downloading artifacts for {} ({id})...",
                dependency.name.as_str()
            ));
            script.command(&[
                context.runner_command,
                "artifacts-downloader",
                "--url",
                context.git.runner_url,
                "--token",
                dependency.token.as_str(),
                "--id",
                &id,
            ]);
        }
    });
    true
}

pub(super) fn upload_artifacts(
    script: &mut ScriptWriter,
    context: &ScriptContext<'_>,
    success: bool,
) -> bool {
    let artifacts = context.payload.artifacts.as_slice();
    let wanted: Vec<_> = artifacts
        .iter()
        .filter(|artifact| {
            let used = artifact.untracked.get()
                || !artifact.paths.as_slice().is_empty()
                || !artifact.exclude.as_slice().is_empty();
            used && applies(artifact.when.as_str(), success)
        })
        .collect();
    if wanted.is_empty() {
        return false;
    }
    enter_project(script, context);
    for artifact in wanted {
        let id = context.payload.id.get().to_string();
        let mut words = vec![
            context.runner_command,
            "artifacts-uploader",
            "--url",
            context.git.runner_url,
            "--token",
            context.payload.token.as_str(),
            "--id",
            &id,
        ];
        for path in artifact.paths.as_slice() {
            words.extend(["--path", path.as_str()]);
        }
        for pattern in artifact.exclude.as_slice() {
            words.extend(["--exclude", pattern.as_str()]);
        }
        if artifact.untracked.get() {
            words.push("--untracked");
        }
        for (option, value) in [
            ("--name", artifact.name.as_str()),
            ("--expire-in", artifact.expire_in.as_str()),
            ("--artifact-format", artifact.artifact_format.as_str()),
            ("--artifact-type", artifact.artifact_type.as_str()),
        ] {
            if !value.is_empty() {
                words.extend([option, value]);
            }
        }
        let statement = statement(context, artifact);
        words.extend(statement.iter().map(String::as_str));
        with_runner(script, context, "Uploading artifacts", |script| {
            script.notice("Uploading artifacts...");
            script.command(&words);
        });
    }
    true
}

/// Words for a statement on where the files come from, where the job wants one (RUN-ART-08).
fn statement(context: &ScriptContext<'_>, artifact: &Artifact) -> Vec<String> {
    let wanted = parse_bool(&context.variables.get("RUNNER_GENERATE_ARTIFACTS_METADATA"));
    if wanted != Some(true) || artifact.artifact_format.as_str() != "zip" {
        return Vec::new();
    }
    let runner = context.runner;
    let repo = git::without_credentials(context.git.info.repo_url.as_str());
    let job = context.payload.job_info.get();
    let mut words = vec!["--generate-artifacts-metadata".to_owned()];
    for (option, value) in [
        ("--runner-id", runner.id.to_string().as_str()),
        ("--repo-url", repo.trim_end_matches(".git")),
        ("--repo-digest", context.git.info.sha.as_str()),
        ("--job-name", job.name.as_str()),
        ("--executor-name", runner.executor),
        ("--runner-name", runner.name),
        ("--started-at", &context.variables.get("CI_JOB_STARTED_AT")),
    ] {
        words.extend([option.to_owned(), value.to_owned()]);
    }
    for variable in context.payload.variables.as_slice() {
        let key = variable.key.as_str();
        words.extend(["--metadata-parameter".to_owned(), key.to_owned()]);
    }
    words
}

/// Writes commands that call this program, for where it can be called; elsewhere the job goes on with a
/// warning.
fn with_runner(
    script: &mut ScriptWriter,
    context: &ScriptContext<'_>,
    what: &str,
    commands: impl FnOnce(&mut ScriptWriter),
) {
    let runner = script.quoting().word(context.runner_command);
    if script.is_traced() {
        script.open(&format!("if {runner} \"--version\" >/dev/null 2>&1; then"));
    } else {
        // The shell itself knows whether it can be called; to start it takes longer.
        script.open(&format!("if command -v {runner} >/dev/null 2>&1; then"));
    }
    commands(script);
    script.middle("else");
    script.warning(&format!(
        "Missing {}. {what} is disabled.",
        context.runner_command
    ));
    script.close("fi");
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
