//! Which stages run, in which order, and what a failure does to those after it.

use protocol::FailureReason;
use runner::executor::scripted::{ScriptedJob, ScriptedPrepare, ScriptedStage, StageEnd};
use runner::executor::{Environment, ExecutorError};
use serde_json::json;

use super::support::{TestJob, seconds};

/// A stage that ends at once with this exit code.
fn ends(exit_code: i32) -> ScriptedStage {
    lasts(0, exit_code)
}

fn lasts(duration: u64, exit_code: i32) -> ScriptedStage {
    ScriptedStage {
        end: StageEnd::After {
            duration: seconds(duration),
            exit_code,
        },
        ..ScriptedStage::default()
    }
}

/// Proves RUN-JOB-01, RUN-JOB-03, EXE-GEN-05.
#[tokio::test(start_paused = true)]
async fn stages_in_order_with_their_places() {
    let job = TestJob::new().with_caches_and_artifacts().with(
        "steps",
        json!([
            {"name": "script", "script": ["a"]},
            {"name": "release", "script": ["b"]},
            {"name": "after_script", "script": ["c"]},
        ]),
    );
    let ran = job.scripted(ScriptedJob::default()).await;
    let expected = [
        ("prepare_script", "Preparing environment", true),
        ("get_sources", "Getting source from Git repository", true),
        ("restore_cache", "Restoring cache", true),
        ("download_artifacts", "Downloading artifacts", true),
        (
            "step_script",
            "Executing \"step_script\" stage of the job script",
            false,
        ),
        (
            "step_release",
            "Executing \"step_release\" stage of the job script",
            false,
        ),
        ("after_script", "Running after_script", false),
        ("archive_cache", "Saving cache for successful job", true),
        (
            "upload_artifacts_on_success",
            "Uploading artifacts for successful job",
            true,
        ),
        (
            "cleanup_file_variables",
            "Cleaning up project directory and file based variables",
            true,
        ),
    ];
    assert_eq!(ran.stages(), expected.map(|(name, _, _)| name));
    let mut sections = vec!["prepare_executor".to_owned()];
    sections.extend(expected.iter().map(|(name, _, _)| (*name).to_owned()));
    assert_eq!(ran.log.sections(), sections);
    for (name, title, predefined) in expected {
        let text = ran.text();
        assert!(text.contains(&format!("[{name}\n# {title}\n")), "{text}");
        let call = ran
            .calls
            .iter()
            .find(|call| call.what == name)
            .expect("call");
        assert_eq!(call.predefined, predefined, "{name}");
    }
    assert!(ran.outcome.is_success());
}

/// Proves RUN-JOB-02.
#[tokio::test(start_paused = true)]
async fn a_stage_without_work_leaves_no_trace() {
    let ran = TestJob::new().scripted(ScriptedJob::default()).await;
    assert_eq!(
        ran.log.sections(),
        [
            "prepare_executor",
            "prepare_script",
            "get_sources",
            "step_script",
            "cleanup_file_variables"
        ]
    );
    assert!(!ran.text().contains("cache"), "{}", ran.text());
}

/// Proves RUN-JOB-04.
#[tokio::test(start_paused = true)]
async fn a_failure_before_the_script_skips_scripts_but_not_uploads() {
    for (failing, before) in [
        ("get_sources", &["prepare_script", "get_sources"][..]),
        (
            "restore_cache",
            &["prepare_script", "get_sources", "restore_cache"],
        ),
        (
            "download_artifacts",
            &[
                "prepare_script",
                "get_sources",
                "restore_cache",
                "download_artifacts",
            ],
        ),
    ] {
        let job = TestJob::new()
            .with_caches_and_artifacts()
            .after_script(&["c"]);
        let script = ScriptedJob::default().with_stage(failing, ends(1));
        let ran = job.scripted(script).await;
        let after = [
            "archive_cache_on_failure",
            "upload_artifacts_on_failure",
            "cleanup_file_variables",
        ];
        assert_eq!(ran.stages(), [before, &after[..]].concat(), "{failing}");
        assert_eq!(ran.failure(), ("exit status 1", "script_failure", 1));
    }
}

/// Proves RUN-JOB-05.
#[tokio::test(start_paused = true)]
async fn nothing_follows_a_failed_prepare_script() {
    let job = TestJob::new()
        .with_caches_and_artifacts()
        .after_script(&["c"]);
    let ran = job
        .scripted(ScriptedJob::default().with_stage("prepare_script", ends(1)))
        .await;
    assert_eq!(ran.stages(), ["prepare_script"]);
    assert_eq!(
        ran.failure().0,
        "prepare environment: exit status 1. Check \
         https://docs.gitlab.com/runner/shells/#shell-profile-loading for more information"
    );
}

fn fails(error: ExecutorError) -> ScriptedPrepare {
    ScriptedPrepare {
        error: Some(error),
        ..ScriptedPrepare::default()
    }
}

/// The executor is cleaned after each failed attempt, and the third failure waits too.
///
/// Proves RUN-JOB-06, EXE-GEN-03.
#[tokio::test(start_paused = true)]
async fn preparation_is_tried_three_times() {
    let broken = || fails(ExecutorError::system("no disk"));
    let twice = ScriptedJob::default()
        .with_prepare(broken())
        .with_prepare(broken());
    let ran = TestJob::new().scripted(twice.clone()).await;
    assert!(ran.outcome.is_success());
    assert_eq!(ran.times("prepare"), [0, 3, 6]);
    assert_eq!(ran.times("cleanup"), [0, 3, 6]);

    let ran = TestJob::new().scripted(twice.with_prepare(broken())).await;
    assert_eq!(ran.failure(), ("no disk", "runner_system_failure", 0));
    assert_eq!((ran.times("prepare"), ran.took), (vec![0, 3, 6], 9));
    assert_eq!(
        ran.text()
            .matches("ERROR: Preparation failed: no disk\nWill be retried in 3s ...\n")
            .count(),
        3
    );
    assert!(
        ran.text()
            .ends_with("ERROR: Job failed (system failure): no disk\n"),
        "{}",
        ran.text()
    );
}

/// Proves RUN-JOB-06, EXE-GEN-04.
#[tokio::test(start_paused = true)]
async fn classified_failures_and_ended_jobs_are_not_prepared_again() {
    let reason = FailureReason::RunnerConfigurationError;
    let script =
        ScriptedJob::default().with_prepare(fails(ExecutorError::classified(reason, "bad image")));
    let ran = TestJob::new().scripted(script).await;
    assert_eq!(
        ran.failure(),
        ("bad image", "runner_configuration_error", 0)
    );
    assert_eq!((ran.times("prepare"), ran.took), (vec![0], 0));

    // The job ends while it waits for the second attempt.
    let job = TestJob::new().with("runner_info", json!({"timeout": 2}));
    let ran = job
        .scripted(ScriptedJob::default().with_prepare(fails(ExecutorError::system("x"))))
        .await;
    assert_eq!(ran.failure().1, "job_execution_timeout");
    assert_eq!((ran.times("prepare"), ran.took), (vec![0], 2));
}

/// Proves RUN-JOB-08, RUN-JOB-09.
#[tokio::test(start_paused = true)]
async fn sources_are_tried_again_in_a_clean_tree() {
    let job = TestJob::new().variable("GET_SOURCES_ATTEMPTS", "3");
    let script = ScriptedJob::default()
        .with_stage("get_sources", ends(1))
        .with_stage("get_sources", ends(1))
        .with_stage("get_sources", ends(0));
    let ran = job.scripted(script).await;
    assert!(ran.outcome.is_success());
    assert_eq!(
        ran.stages()[..5],
        [
            "prepare_script",
            "get_sources",
            "clear_worktree",
            "get_sources",
            "get_sources"
        ]
    );
    assert_eq!(ran.times("get_sources"), [0, 5, 15]);
    assert_eq!(ran.text().matches("WARNING: Retrying...\n").count(), 2);
}

/// Proves RUN-JOB-10.
#[tokio::test(start_paused = true)]
async fn after_script_counts_only_when_asked_for() {
    let failing = || ScriptedJob::default().with_stage("after_script", ends(2));
    let ran = TestJob::new()
        .after_script(&["c"])
        .scripted(failing())
        .await;
    assert!(ran.outcome.is_success());
    let line = "WARNING: after_script failed, but job will continue unaffected: exit status 2\n";
    assert!(ran.text().contains(line), "{}", ran.text());

    let job = TestJob::new()
        .after_script(&["c"])
        .variable("AFTER_SCRIPT_IGNORE_ERRORS", "false");
    let ran = job.scripted(failing()).await;
    assert_eq!(ran.failure(), ("exit status 2", "script_failure", 2));
    assert!(!ran.text().contains(line));

    // A job that failed already keeps its own reason.
    let job = TestJob::new()
        .after_script(&["c"])
        .variable("AFTER_SCRIPT_IGNORE_ERRORS", "false");
    let ran = job
        .scripted(failing().with_stage("step_script", ends(9)))
        .await;
    assert_eq!(ran.failure(), ("exit status 9", "script_failure", 9));
}

/// Proves RUN-JOB-23.
#[tokio::test(start_paused = true)]
async fn a_failed_upload_fails_the_job() {
    let job = TestJob::new().with_caches_and_artifacts();
    let script = ScriptedJob::default().with_stage("upload_artifacts_on_success", ends(1));
    let ran = job.scripted(script.clone()).await;
    assert_eq!(ran.failure(), ("exit status 1", "script_failure", 1));
    assert_eq!(ran.stages().last(), Some(&"cleanup_file_variables"));
    // A cache has priority.
    let job = TestJob::new().with_caches_and_artifacts();
    let ran = job
        .scripted(script.with_stage("archive_cache", ends(5)))
        .await;
    assert_eq!(ran.failure().2, 5);
}

/// Proves RUN-JOB-24.
#[tokio::test(start_paused = true)]
async fn fields_of_steps_are_not_evaluated() {
    let step = |name| json!({"name": name, "script": ["a"], "when": "never", "timeout": 1, "allow_failure": true});
    let job = TestJob::new().with("steps", json!([step("script"), step("release")]));
    let script = ScriptedJob::default()
        .with_stage("step_script", lasts(60, 0))
        .with_stage("step_release", ends(4));
    let ran = job.scripted(script).await;
    assert_eq!(ran.took, 60);
    assert_eq!(ran.failure(), ("exit status 4", "script_failure", 4));
}

/// A strategy that nobody knows, and an unknown cache policy.
///
/// Proves RUN-JOB-29.
#[tokio::test(start_paused = true)]
async fn a_script_that_cannot_be_written_is_a_system_failure() {
    let job = TestJob::new()
        .variable("GIT_STRATEGY", "fetch")
        .variable("GIT_SUBMODULE_STRATEGY", "bogus")
        .after_script(&["c"]);
    let ran = job.scripted(ScriptedJob::default()).await;
    assert_eq!(
        ran.failure(),
        ("unknown GIT_SUBMODULE_STRATEGY", "runner_system_failure", 0)
    );
    assert_eq!(ran.stages(), ["prepare_script", "cleanup_file_variables"]);
    assert!(!ran.log.sections().contains(&"get_sources".to_owned()));

    let cache = json!([{"key": "k", "paths": ["x"], "policy": "bogus"}]);
    let job = TestJob::new().with("cache", cache).after_script(&["c"]);
    let ran = job.scripted(ScriptedJob::default()).await;
    assert_eq!(
        ran.failure(),
        (
            "unknown cache policy bogus for k",
            "runner_system_failure",
            0
        )
    );
    assert_eq!(
        ran.stages(),
        ["prepare_script", "get_sources", "cleanup_file_variables"]
    );
}

/// Also after a failed preparation, and a result stands.
///
/// Proves EXE-GEN-06.
#[tokio::test(start_paused = true)]
async fn every_job_ends_with_finish_and_cleanup() {
    let last = |ran: &super::support::Ran| {
        let calls: Vec<String> = ran.calls.iter().map(|call| call.what.clone()).collect();
        calls[calls.len() - 2..].join(" ")
    };
    let ran = TestJob::new().scripted(ScriptedJob::default()).await;
    assert_eq!(last(&ran), "finish cleanup");
    let reason = FailureReason::ImagePullFailure;
    let script =
        ScriptedJob::default().with_prepare(fails(ExecutorError::classified(reason, "gone")));
    let ran = TestJob::new().scripted(script).await;
    assert_eq!(last(&ran), "finish cleanup");
    assert_eq!(ran.failure().1, "image_pull_failure");
    // A failure of the stage that cleans up is nobody's but the manager's.
    let script = ScriptedJob::default().with_stage("cleanup_file_variables", ends(1));
    assert!(TestJob::new().scripted(script).await.outcome.is_success());
}

/// Proves EXE-GEN-09.
#[tokio::test(start_paused = true)]
async fn an_executor_without_directories_is_a_configuration_error() {
    for (builds, cache, message) in [
        ("", "/c", "the builds_dir is not configured"),
        ("/b", "", "the cache_dir is not configured"),
    ] {
        let mut job = TestJob::new();
        job.environment = Some(Environment {
            builds_dir: Some(builds.to_owned()),
            cache_dir: Some(cache.to_owned()),
            shell: "bash".to_owned(),
            ..Environment::default()
        });
        let ran = job.scripted(ScriptedJob::default()).await;
        assert_eq!(ran.failure(), (message, "runner_configuration_error", 0));
    }
}

/// Two steps whose names differ only in case: the recorded runner runs the first one's script twice.
#[tokio::test(start_paused = true)]
async fn each_step_runs_its_own_script() {
    let job = TestJob::new().with(
        "steps",
        json!([{"name": "Script", "script": ["echo A"]}, {"name": "script", "script": ["echo B"]}]),
    );
    let ran = job.scripted(ScriptedJob::default()).await;
    let scripts: Vec<&str> = ran
        .calls
        .iter()
        .filter(|call| call.what == "step_script")
        .map(|call| call.script.as_str())
        .collect();
    assert_eq!(scripts.len(), 2);
    assert!(scripts[0].contains("echo A") && !scripts[0].contains("echo B"));
    assert!(scripts[1].contains("echo B") && !scripts[1].contains("echo A"));
}

/// `SECRETS_RETRIEVAL_ATTEMPTS` above 1 makes the recorded runner panic; here the job fails with the
/// same words as with one attempt.
#[tokio::test(start_paused = true)]
async fn secrets_that_cannot_be_read_fail_the_job_however_often() {
    let secrets =
        json!({"DB": {"vault": {"server": {"url": "http://v"}, "path": "p", "field": "f"}}});
    for attempts in ["1", "3"] {
        let job = TestJob::new()
            .with("secrets", secrets.clone())
            .variable("SECRETS_RETRIEVAL_ATTEMPTS", attempts);
        let ran = job.scripted(ScriptedJob::default()).await;
        let (message, reason, _) = ran.failure();
        assert!(message.starts_with("resolving secrets: "), "{message}");
        assert_eq!(reason, "runner_system_failure");
    }
}
