//! The first lines of a log, made by a whole job.

use std::path::PathBuf;
use std::sync::Arc;

use protocol::JobPayload;
use runner::executor::scripted::{ScriptedExecutor, ScriptedJob};
use runner::host::{self, Host};
use runner::job::{JobConfig, JobIds, JobRun, JobSignals, JobTls, LogSettings};
use runner::trace::LogOptions;
use serde_json::json;

use super::support::{bytes, log, options};

fn config() -> JobConfig {
    JobConfig {
        name: "golden".to_owned(),
        url: "http://gitlab.example.com".to_owned(),
        token: "glrt-t3_AbCdEfGhIjKlMnOpQrSt".to_owned(),
        ..JobConfig::default()
    }
}

fn payload(variables: &serde_json::Value) -> JobPayload {
    let payload = json!({
        "id": 1001, "token": "t",
        "git_info": {"repo_url": "http://h/g/p.git"},
        "variables": variables,
        "steps": [{"name": "script", "script": ["true"]}],
        "features": {"trace_sections": true},
    });
    protocol::go_json::from_slice(payload.to_string().as_bytes()).expect("a payload")
}

/// The log of a job with these variables; timestamps as the job wants them.
async fn log_of(variables: serde_json::Value) -> String {
    let payload = payload(&variables);
    let settings = LogSettings::new(&payload, &config());
    let log = log(LogOptions {
        timestamps: settings.timestamps,
        ..options(true)
    });
    runner::job::run(JobRun {
        payload: Arc::new(payload),
        config: config(),
        host: Host {
            hostname: "vm".to_owned(),
            platform: "linux",
            architecture: "amd64",
            working_directory: PathBuf::from("/srv"),
            executable: PathBuf::from("/usr/bin/gitlab-runner"),
            system_id: "s_0123456789ab".to_owned(),
        },
        ids: JobIds::default(),
        log: Arc::new(log.clone()),
        signals: JobSignals::default(),
        executor: Box::new(ScriptedExecutor::new(ScriptedJob::default())),
        correlation_id: String::new(),
        tls: JobTls::default(),
        session: None,
    })
    .await;
    log.close();
    String::from_utf8(bytes(&log)).expect("text")
}

fn recorded(name: &str) -> String {
    let path = format!(
        "{}/../scenarios/recordings/{name}/trace-1001.log",
        env!("CARGO_MANIFEST_DIR")
    );
    // The version is ours, see docs/differences.md.
    let version = format!("{} {} ({})", host::NAME, host::VERSION, host::REVISION);
    std::fs::read_to_string(path)
        .expect("a log")
        .replace("gitlab-runner 19.4.0 (d79f3e7b)", &version)
}

/// Goal: program, entry and system id; flags only where they differ from their default.
///
/// Proves RUN-LOG-01.
#[tokio::test(start_paused = true)]
async fn header_lines() {
    let expected = recorded("shell-success");
    let seen = log_of(json!([{"key": "GIT_STRATEGY", "value": "none"}])).await;
    for (seen, expected) in seen.lines().zip(expected.lines()).take(2) {
        assert_eq!(&seen[27..], &expected[27..]);
    }
    // No line about flags.
    assert!(
        seen.lines()
            .nth(2)
            .is_some_and(|line| line.contains("section_start:0:prepare_executor"))
    );

    let expected = recorded("no-timestamps");
    let seen = log_of(json!([
        {"key": "GIT_STRATEGY", "value": "none"},
        {"key": "FF_TIMESTAMPS", "value": "false"},
        {"key": "FF_SCRIPT_SECTIONS", "value": "true"},
    ]))
    .await;
    let three = |log: &str| log.lines().take(3).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(three(&seen), three(&expected));
}

/// Goal: a job gets timestamps unless its flag, or the configuration's, says otherwise.
///
/// Proves RUN-LOG-04.
#[test]
fn timestamps_are_on_by_default() {
    let timestamps =
        |variables, config: &JobConfig| LogSettings::new(&payload(&variables), config).timestamps;
    assert!(timestamps(json!([]), &config()));
    assert!(!timestamps(
        json!([{"key": "FF_TIMESTAMPS", "value": "false"}]),
        &config()
    ));
    let mut off = config();
    off.feature_flags.insert("FF_TIMESTAMPS".to_owned(), false);
    assert!(!timestamps(json!([]), &off));
}
