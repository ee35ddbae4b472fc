//! The provenance of an archive: an in-toto statement with SLSA provenance (runner.md 12, RUN-ART-08).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::archive::{go_text, open};
use super::files::Files;
use crate::host;

const STATEMENT: &str = "https://in-toto.io/Statement/v0.1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";
const BUILD_TYPE: &str = "https://gitlab.com/gitlab-org/gitlab-runner/-/blob";

/// What a statement says of the job.
#[derive(Clone, Debug, Default)]
pub struct StatementOptions {
    /// Id of the runner.
    pub runner_id: String,
    /// URL of the repository, without credentials.
    pub repo_url: String,
    /// The commit.
    pub repo_digest: String,
    /// Name of the job.
    pub job_name: String,
    /// Name of the executor.
    pub executor_name: String,
    /// Name of the runner.
    pub runner_name: String,
    /// When the job began, RFC 3339.
    pub started_at: String,
    /// When it ended; empty: now.
    pub ended_at: String,
    /// Version of SLSA provenance; `v1` is the only one.
    pub schema_version: String,
    /// Names of the job's variables.
    pub parameters: Vec<String>,
}

/// Writes `<name>-metadata.json` into the project directory, and adds it to `files`. `ended`: the time
/// now, RFC 3339.
pub(super) fn add(
    files: &mut Files,
    name: &str,
    job: i64,
    options: &StatementOptions,
    ended: &str,
) -> Result<(), String> {
    tracing::info!("Generating artifacts statement");
    if options.schema_version != "v1" {
        let version = match options.schema_version.as_str() {
            "" => "unknown",
            version => version,
        };
        tracing::warn!("Unknown SLSA provenance version {version}, defaulting to v1");
    }
    let statement = statement(&subjects(files)?, job, options, ended);
    let path = format!("{name}-metadata.json");
    let text = serde_json::to_string_pretty(&statement).map_err(|error| error.to_string())?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(files.root.join(&path))
        .map_err(|error| format!("open {path}: {}", go_text(&error)))?;
    file.write_all(text.as_bytes())
        .map_err(|error| format!("write {path}: {}", go_text(&error)))?;
    let metadata = file
        .metadata()
        .map_err(|error| format!("{path}: {}", go_text(&error)))?;
    if !files.excluded.iter().any(|pattern| pattern.matches(&path)) {
        files.entries.insert(path, metadata);
    }
    Ok(())
}

/// Regular files with their SHA-256.
fn subjects(files: &Files) -> Result<Vec<Value>, String> {
    let mut subjects = Vec::new();
    for (path, metadata) in &files.entries {
        if !metadata.is_file() {
            continue;
        }
        let mut hash = Sha256::new();
        let mut file = open(&files.root, path)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = file
                .read(&mut buffer)
                .map_err(|error| format!("read {path}: {}", go_text(&error)))?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
        }
        let mut digest = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(digest, "{byte:02x}");
        }
        subjects.push(json!({"name": path, "digest": {"sha256": digest}}));
    }
    Ok(subjects)
}

fn statement(subjects: &[Value], job: i64, options: &StatementOptions, ended: &str) -> Value {
    let repo = options.repo_url.as_str();
    // Names only: values may be secrets.
    let mut parameters: BTreeMap<&str, &str> = options
        .parameters
        .iter()
        .map(|name| (name.as_str(), ""))
        .collect();
    parameters.insert("entryPoint", &options.job_name);
    parameters.insert("source", repo);
    let parameters: Map<String, Value> = parameters
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let ended = match options.ended_at.as_str() {
        "" => ended,
        given => given,
    };
    json!({
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": format!("{BUILD_TYPE}/{}/PROVENANCE.md", host::REVISION),
                "externalParameters": parameters,
                "internalParameters": {
                    "architecture": host::architecture(),
                    "executor": options.executor_name,
                    "job": job.to_string(),
                    "name": options.runner_name,
                },
                "resolvedDependencies": [
                    {"uri": repo, "digest": {"sha256": options.repo_digest}},
                ],
            },
            "runDetails": {
                "builder": {
                    "id": format!("{repo}/-/runners/{}", options.runner_id),
                    "version": {"gitlab-runner": host::REVISION},
                },
                "metadata": {
                    "invocationId": job.to_string(),
                    "startedOn": options.started_at,
                    "finishedOn": ended,
                },
            },
        },
    })
}
