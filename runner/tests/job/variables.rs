//! Variables as a real bash sees them (runner.md 8).

use serde_json::json;

use super::shell::section;
use super::support::TestJob;

async fn output(job: TestJob) -> String {
    let folder = tempfile::tempdir().expect("temp");
    let ran = job.in_bash(folder.path()).await;
    assert!(ran.outcome.is_success(), "{}", ran.text());
    let output = section(&ran, "step_script");
    output
        .split_once('\n')
        .map_or("", |(_, rest)| rest)
        .to_owned()
}

/// Proves RUN-VAR-01, RUN-VAR-09.
#[tokio::test]
async fn who_overrides_whom() {
    let mut job = TestJob::new()
        .variable("BOTH", "job")
        .variable("CI_BUILDS_DIR", "/mine")
        .variable("CI_JOB_STATUS", "mine")
        .variable("CI_SERVER", "mine")
        .variable("CI_RUNNER_VERSION", "mine")
        .variable("CI_SHARED_ENVIRONMENT", "mine")
        .variable("RUNNER_TEMP_PROJECT_DIR", "mine")
        .script(&[
            "echo $BOTH $ONLY $CI_BUILDS_DIR $CI_JOB_STATUS $CI_SERVER; \
            echo $CI_RUNNER_VERSION $CI_SHARED_ENVIRONMENT ${RUNNER_TEMP_PROJECT_DIR##*/}",
        ]);
    job.config.environment = vec!["BOTH=config".to_owned(), "ONLY=config".to_owned()];
    assert_eq!(
        output(job).await,
        "job config /mine mine mine\n19.4.0 true demo.tmp\n"
    );
}

/// Proves RUN-VAR-05, EXE-GEN-07.
#[tokio::test]
async fn variables_of_the_runner_are_there() {
    let names = [
        "FF_TIMESTAMPS",
        "FF_NETWORK_PER_BUILD",
        "CI_RUNNER_SHORT_TOKEN",
        "CI_BUILDS_DIR",
        "CI_PROJECT_DIR",
        "CI_CONCURRENT_ID",
        "CI_CONCURRENT_PROJECT_ID",
        "CI_SERVER",
        "CI_JOB_STATUS",
        "CI_JOB_TIMEOUT",
        "CI_SHARED_ENVIRONMENT",
        "CI_RUNNER_VERSION",
        "CI_RUNNER_REVISION",
        "CI_RUNNER_EXECUTABLE_ARCH",
        "RUNNER_TEMP_PROJECT_DIR",
        "GITLAB_ENV",
    ];
    let script = format!(
        "for n in {}; do test -n \"${{!n}}\" || echo missing $n; done; env | grep -c ^FF_; \
         echo \"[$CI_DISPOSABLE_ENVIRONMENT]\" $CI_JOB_TIMEOUT $CI_RUNNER_EXECUTABLE_ARCH",
        names.join(" ")
    );
    let arch = format!(
        "{}/{}",
        runner::host::platform(),
        runner::host::architecture()
    );
    let seen = output(TestJob::new().script(&[&script])).await;
    assert_eq!(seen, format!("52\n[] 3600 {arch}\n"));
}

/// An executor whose environment is the job's own says so.
///
/// Proves EXE-GEN-07.
#[tokio::test(start_paused = true)]
async fn an_environment_of_its_own_is_disposable() {
    let mut job = TestJob::new();
    job.environment = Some(runner::executor::Environment {
        builds_dir: Some("/b".to_owned()),
        cache_dir: Some("/c".to_owned()),
        shell: "bash".to_owned(),
        ..runner::executor::Environment::default()
    });
    let ran = job
        .scripted(runner::executor::scripted::ScriptedJob::default())
        .await;
    let script = ran.script("step_script");
    assert!(
        script.contains("export CI_DISPOSABLE_ENVIRONMENT=true\\n"),
        "{script}"
    );
    assert!(!script.contains("CI_SHARED_ENVIRONMENT"));
}

/// The content is written without a newline, the variable holds the path, and cleanup deletes it.
///
/// Proves RUN-VAR-04, RUN-VAR-07.
#[tokio::test]
async fn file_variables_are_files_while_the_job_runs() {
    let folder = tempfile::tempdir().expect("temp");
    let job = TestJob::new()
        .with(
            "variables",
            json!([
                {"key": "GIT_STRATEGY", "value": "none"},
                {"key": "KUBECONFIG", "value": "a: 1\nb: 2", "file": true},
                {"key": "COPY", "value": "$KUBECONFIG"},
            ]),
        )
        .script(&[
            "cat \"$KUBECONFIG\" | od -c | tail -2; test \"$COPY\" = \"$KUBECONFIG\" && echo same",
        ]);
    let ran = job.in_bash(folder.path()).await;
    let output = section(&ran, "step_script");
    assert!(output.ends_with("2\n0000011\nsame\n"), "{output}");
    let temp = folder.path().join("builds/AbCdEfGhI/0/group/demo.tmp");
    assert!(temp.is_dir());
    let left: Vec<_> = std::fs::read_dir(&temp)
        .expect("temp")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Proves RUN-VAR-06.
#[tokio::test]
async fn gitlab_env_carries_values_to_later_stages() {
    let folder = tempfile::tempdir().expect("temp");
    let write = "printf 'A=one two\\nB=$(id)\\nKEEP=new\\nLAST=lost' >> $GITLAB_ENV";
    let job = TestJob::new()
        .variable("KEEP", "old")
        .script(&[write, "echo \"now [$A]\""])
        .after_script(&["echo \"[$A] [$B] [$KEEP] [$LAST]\""]);
    let ran = job.in_bash(folder.path()).await;
    assert!(
        section(&ran, "step_script").ends_with("\nnow []\n"),
        "{}",
        ran.text()
    );
    let after = section(&ran, "after_script");
    assert!(after.ends_with("\n[one two] [$(id)] [new] []\n"), "{after}");
    // The next job does not get them.
    let next = TestJob::new()
        .script(&["echo \"[$A]\""])
        .in_bash(folder.path())
        .await;
    assert!(
        section(&next, "step_script").ends_with("\n[]\n"),
        "{}",
        next.text()
    );
}

/// Proves RUN-VAR-08.
#[tokio::test]
async fn debug_trace_can_be_forbidden() {
    for (disabled, traced) in [(false, true), (true, false)] {
        let folder = tempfile::tempdir().expect("temp");
        let mut job = TestJob::new()
            .variable("CI_DEBUG_TRACE", "true")
            .script(&["echo x"]);
        job.config.debug_trace_disabled = disabled;
        let ran = job.in_bash(folder.path()).await;
        assert_eq!(
            ran.text().contains("\n++ echo x\n"),
            traced,
            "{}",
            ran.text()
        );
    }
}
