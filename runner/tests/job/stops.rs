//! Time limits, cancel, abort and interrupt (runner.md 5.2).

use std::time::Duration;

use runner::executor::scripted::{ScriptedJob, ScriptedStage, StageEnd};
use runner::job::JobSignals;
use serde_json::json;

use super::support::{Ran, TestJob, seconds};

/// A job in which `stage` lasts so long, whatever happens.
fn slow(stage: &str, duration: u64) -> ScriptedJob {
    let stage_of = ScriptedStage {
        end: StageEnd::After {
            duration: seconds(duration),
            exit_code: 0,
        },
        ..ScriptedStage::default()
    };
    ScriptedJob::default().with_stage(stage, stage_of)
}

fn full_job() -> TestJob {
    TestJob::new()
        .with_caches_and_artifacts()
        .after_script(&["c"])
}

/// Runs a job and calls `act` after some time.
async fn with_act(job: TestJob, script: ScriptedJob, at: Duration, act: fn(&JobSignals)) -> Ran {
    let signals = job.signals.clone();
    let (ran, ()) = tokio::join!(job.scripted(script), async {
        tokio::time::sleep(at).await;
        act(&signals);
    });
    ran
}

fn cancel(signals: &JobSignals) {
    signals.cancel.cancel();
}

fn abort(signals: &JobSignals) {
    signals.abort.cancel();
}

/// Whether the script of a stage exports this status.
fn has_status(ran: &Ran, stage: &str, status: &str) -> bool {
    ran.script(stage)
        .contains(&format!("export CI_JOB_STATUS={status}\\n"))
}

/// Proves RUN-JOB-11.
#[tokio::test(start_paused = true)]
async fn after_script_has_five_minutes() {
    let ran = full_job().scripted(slow("after_script", 1000)).await;
    assert_eq!(ran.took, 300);
    assert!(ran.outcome.is_success());
    assert!(has_status(&ran, "after_script", "success"));
    assert!(ran.text().contains(
        "WARNING: after_script could not run to completion because the timeout was exceeded."
    ));
}

/// Proves RUN-JOB-12.
#[tokio::test(start_paused = true)]
async fn script_timeout_is_seen_by_after_script() {
    let job = full_job().variable("RUNNER_SCRIPT_TIMEOUT", "90s");
    let ran = job.scripted(slow("step_script", 1000)).await;
    assert_eq!(ran.times("after_script"), [90]);
    assert!(has_status(&ran, "step_script", "running"));
    assert!(has_status(&ran, "after_script", "timedout"));
    assert_eq!(
        ran.failure(),
        (
            "script timeout: context deadline exceeded",
            "job_execution_timeout",
            0
        )
    );
    assert_eq!(
        ran.stages()[4..],
        [
            "step_script",
            "after_script",
            "archive_cache_on_failure",
            "upload_artifacts_on_failure",
            "cleanup_file_variables"
        ]
    );
}

/// Proves RUN-JOB-13, RUN-JOB-14.
#[tokio::test(start_paused = true)]
async fn job_timeout_ends_everything() {
    for (timeout, limit, text) in [(3600, 3600, "1h0m0s"), (0, 7200, "2h0m0s")] {
        let job = full_job().with("runner_info", json!({"timeout": timeout}));
        let ran = job.scripted(slow("step_script", 100_000)).await;
        assert_eq!(ran.took, limit);
        assert_eq!(ran.stages().last(), Some(&"step_script"));
        let message = format!("execution took longer than {text} seconds");
        assert_eq!(
            ran.failure(),
            (message.as_str(), "job_execution_timeout", 0)
        );
    }
}

/// A stage that does not end is waited for five minutes, and its section stays open.
///
/// Proves RUN-JOB-13.
#[tokio::test(start_paused = true)]
async fn a_stuck_stage_is_left_after_five_minutes() {
    let mut stuck = ScriptedStage {
        end: StageEnd::After {
            duration: seconds(100_000),
            exit_code: 0,
        },
        ..ScriptedStage::default()
    };
    stuck.stop_delay = seconds(100_000);
    let job = full_job().with("runner_info", json!({"timeout": 2}));
    let ran = job
        .scripted(ScriptedJob::default().with_stage("step_script", stuck))
        .await;
    assert_eq!(ran.took, 302);
    let end = "WARNING: Timed out waiting for the build to finish\n\
        ERROR: Job failed: execution took longer than 2s seconds\n";
    assert!(ran.text().ends_with(end), "{}", ran.text());
    assert!(!ran.text().contains("step_script]"));
}

/// Proves RUN-JOB-15.
#[tokio::test(start_paused = true)]
async fn a_cancelled_script_is_followed_by_after_script_and_uploads() {
    let ran = with_act(full_job(), slow("step_script", 1000), seconds(40), cancel).await;
    assert_eq!(ran.times("after_script"), [40]);
    assert!(has_status(&ran, "after_script", "canceled"));
    assert_eq!(
        ran.stages()[5..],
        [
            "after_script",
            "archive_cache_on_failure",
            "upload_artifacts_on_failure",
            "cleanup_file_variables"
        ]
    );
    assert!(
        ran.text()
            .contains("WARNING: script canceled externally (UI, API)\n")
    );
    assert_eq!(ran.failure(), ("canceled", "job_canceled", 0));
}

/// Proves RUN-JOB-16.
#[tokio::test(start_paused = true)]
async fn a_cancel_before_the_script_ends_the_job() {
    for stage in [
        "prepare_script",
        "get_sources",
        "restore_cache",
        "download_artifacts",
    ] {
        let ran = with_act(full_job(), slow(stage, 1000), seconds(40), cancel).await;
        assert_eq!(ran.took, 40, "{stage}");
        assert_eq!(ran.stages().last(), Some(&stage));
        assert_eq!(ran.failure(), ("canceled", "job_canceled", 0));
    }
}

/// Proves RUN-JOB-17.
#[tokio::test(start_paused = true)]
async fn a_cancel_after_the_script_changes_nothing() {
    for stage in [
        "after_script",
        "archive_cache",
        "upload_artifacts_on_success",
        "cleanup_file_variables",
    ] {
        let ran = with_act(full_job(), slow(stage, 100), seconds(40), cancel).await;
        assert_eq!(ran.took, 100, "{stage}");
        assert!(ran.outcome.is_success(), "{stage}");
        assert!(ran.text().ends_with("Job succeeded\n"));
    }
}

/// Proves RUN-JOB-18.
#[tokio::test(start_paused = true)]
async fn an_abort_ends_every_stage() {
    for stage in [
        "prepare_script",
        "get_sources",
        "step_script",
        "after_script",
        "archive_cache",
        "upload_artifacts_on_success",
        "cleanup_file_variables",
    ] {
        let ran = with_act(full_job(), slow(stage, 1000), seconds(40), abort).await;
        assert_eq!(ran.took, 40, "{stage}");
        assert_eq!(ran.stages().last(), Some(&stage));
        assert_eq!(ran.failure(), ("canceled", "job_canceled", 0));
        assert!(ran.text().ends_with("ERROR: Job failed: canceled\n"));
    }
}

/// The same by the end of the manager, with its own reason.
#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_the_job_with_its_signal() {
    let act = |signals: &JobSignals| signals.interrupt.raise("terminated");
    let ran = with_act(full_job(), slow("step_script", 1000), seconds(40), act).await;
    assert_eq!(ran.took, 40);
    assert_eq!(ran.stages().last(), Some(&"step_script"));
    assert_eq!(
        ran.failure(),
        ("aborted: terminated", "runner_interrupted", 0)
    );
    let line = "WARNING: after_script failed, but job will continue unaffected: context canceled\n";
    assert!(ran.text().contains(line), "{}", ran.text());
}

/// The limit of the preparation does not concern what comes after it.
///
/// Proves EXE-GEN-10.
#[tokio::test(start_paused = true)]
async fn a_short_prepare_timeout_lets_long_jobs_live() {
    let mut job = full_job();
    job.config.prepare_timeout = seconds(5);
    let ran = job.scripted(slow("step_script", 1000)).await;
    assert!(ran.outcome.is_success(), "{}", ran.text());
    assert_eq!(ran.took, 1000);
}

/// `prepare_timeout` and `get_sources_timeout` end the job at once.
#[tokio::test(start_paused = true)]
async fn early_limits_end_the_job() {
    let mut job = full_job();
    job.config.get_sources_timeout = seconds(30);
    let ran = job.scripted(slow("get_sources", 1000)).await;
    assert_eq!(
        ran.failure(),
        (
            "get sources timeout: exceeded timeout of 30s",
            "job_execution_timeout",
            0
        )
    );
    assert_eq!((ran.took, ran.stages().last()), (30, Some(&"get_sources")));
}
