//! Metrics and debug pages of a manager, against the recordings `metrics` and `metrics-after`.

use std::collections::BTreeMap;

use super::*;
use crate::executor::scripted::{ScriptedStage, StageEnd};
use crate::metrics::{Metrics, ProcessState, Refresh};

const RECORDED: &str = include_str!("../../../../tests/data/metrics/metrics.txt");
const RECORDED_AFTER: &str = include_str!("../../../../tests/data/metrics/metrics-after.txt");

/// The recorded configuration.
const CONFIG: &str = "concurrent = 1\n[[runners]]\nname = 'golden'\nurl = 'http://gitlab.example.com'\n\
    token = 'glrt-t3_AbCdEfGhIjKlMnOpQrSt'\nexecutor = 'shell'\n";

/// A page as `(help and type lines, value of each series)`. Without what cannot be the same: what the
/// process uses, versions, and the machines of an executor that is not there.
fn parts(page: &str) -> (Vec<&str>, BTreeMap<&str, &str>) {
    let comparable = |name: &str| {
        !["process_", "go_"]
            .iter()
            .any(|p| name.starts_with(p) && !name.starts_with("process_state"))
            && !name.starts_with("gitlab_runner_autoscaling_machine_")
            && !name.starts_with("gitlab_runner_version_info")
    };
    let mut heads = Vec::new();
    let mut series = BTreeMap::new();
    for line in page.lines() {
        if let Some(head) = line.strip_prefix("# ") {
            let name = head.split(' ').nth(1).unwrap();
            if comparable(name) {
                heads.push(line);
            }
        } else if comparable(line) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            series.insert(name, value);
        }
    }
    (heads, series)
}

/// A running manager, its metrics, and the guard that keeps its log.
struct Watched {
    run: Run,
    metrics: Metrics,
    refresh: Refresh,
    _log: tracing::dispatcher::DefaultGuard,
}

fn watched(server: &Server, config: &str) -> Watched {
    let (signals, receiver) = mpsc::channel(4);
    let config = MemoryConfig::new(config);
    let options = ManagerOptions {
        config: Arc::new(config.clone()),
        ..options(server)
    };
    let log = tracing::dispatcher::set_default(&options.log.dispatch());
    let manager = Manager::new(options, receiver);
    let (metrics, refresh) = manager.metrics();
    assert_eq!(metrics.state(), ProcessState::Starting);
    assert!(!metrics.is_ready());
    Watched {
        run: Run {
            signals,
            config,
            end: tokio::spawn(manager.run()),
        },
        metrics,
        refresh,
        _log: log,
    }
}

impl Watched {
    async fn page(&self) -> String {
        (self.refresh)().await;
        self.metrics.text()
    }
}

/// The recorded job, which lasts so many seconds.
fn recorded_job(id: i64, name: &str) -> (u16, Value) {
    let (status, mut payload) = job(id, name);
    payload["git_info"]["repo_url"] =
        json!("http://gitlab-ci-token:glcbt-64_secret@gitlab.example.com/group/demo.git");
    for (key, value) in [
        ("time_in_queue_seconds", json!(4)),
        (
            "project_jobs_running_on_instance_runners_count",
            json!("+Inf"),
        ),
        ("queue_size", json!(0)),
        ("queue_depth", json!(1)),
    ] {
        payload["job_info"][key] = value;
    }
    (status, payload)
}

/// Goal: while a job runs, names, help texts, types, labels and values are the recorded ones.
///
/// Proves RUN-MON-01.
#[tokio::test(start_paused = true)]
async fn the_recorded_metrics() {
    let server = Server::new(vec![recorded_job(1001, "5")]);
    let manager = watched(&server, CONFIG);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let page = manager.page().await;
    let (heads, mut series) = parts(&page);
    let (recorded_heads, mut recorded) = parts(RECORDED);
    assert_eq!(heads, recorded_heads);
    // Requests take no time here.
    for series in [&mut series, &mut recorded] {
        series
            .retain(|name, _| !name.starts_with("gitlab_runner_api_request_duration_seconds_sum"));
    }
    assert_eq!(series, recorded);
    assert_eq!(page.matches("gitlab_runner_version_info{").count(), 1);
    for process in RECORDED.lines().filter(|line| line.starts_with("process_")) {
        let name = process.split(' ').next().unwrap();
        assert!(
            page.lines()
                .any(|line| line.starts_with(&format!("{name} "))),
            "{name}"
        );
    }
    assert_eq!(
        manager.run.after(5, Signal::Quit).await,
        ExitReason::Finished
    );
}

/// Goal: after a success, a failure, a timeout and a cancelled job, the series of jobs are the recorded
/// ones; what a job counts for.
///
/// Proves RUN-MON-01.
#[tokio::test(start_paused = true)]
async fn metrics_of_ended_jobs() {
    let mut timeout = recorded_job(3, "600");
    timeout.1["runner_info"]["timeout"] = json!(10);
    let server = Server::new(vec![
        recorded_job(1, "1"),
        recorded_job(2, "fails"),
        timeout,
        recorded_job(4, "60"),
    ]);
    let manager = watched(&server, CONFIG);
    tokio::time::sleep(Duration::from_secs(40)).await;
    let page = manager.page().await;
    let (heads, series) = parts(&page);
    let (recorded_heads, recorded) = parts(RECORDED_AFTER);
    assert_eq!(heads, recorded_heads);
    let value = |name: &str| series.get(name).copied();
    let entry = r#"runner="AbCdEfGhI",runner_name="golden""#;
    for (name, expected) in [
        (
            format!("gitlab_runner_jobs_total{{{entry},system_id=\"s_0123456789ab\"}}"),
            "4",
        ),
        (
            format!(
                "gitlab_runner_failed_jobs_total{{failure_reason=\"script_failure\",mode=\"traditional\",{entry}}}"
            ),
            "1",
        ),
        (
            format!(
                "gitlab_runner_failed_jobs_total{{failure_reason=\"job_execution_timeout\",mode=\"traditional\",{entry}}}"
            ),
            "1",
        ),
        (
            "gitlab_runner_job_execution_mode_total{executor=\"shell\",mode=\"traditional\"}"
                .to_owned(),
            "3",
        ),
        (
            format!(
                "gitlab_runner_worker_processing_failures_total{{failure_type=\"job_failure\",{entry},system_id=\"s_0123456789ab\"}}"
            ),
            "2",
        ),
        (
            format!(
                "gitlab_runner_job_duration_seconds_count{{mode=\"traditional\",{entry},system_id=\"s_0123456789ab\"}}"
            ),
            "3",
        ),
    ] {
        assert!(recorded.contains_key(name.as_str()), "{name}");
        assert_eq!(value(&name), Some(expected), "{name}");
    }
    // As many feeds as polls: nobody feeds the poll that follows a job.
    let feeds = format!("gitlab_runner_worker_feeds_total{{{entry},system_id=\"s_0123456789ab\"}}");
    assert_eq!(
        value(&feeds),
        Some(
            server
                .polls()
                .into_values()
                .next()
                .unwrap()
                .len()
                .to_string()
                .as_str()
        )
    );
    assert_eq!(
        manager.run.after(1, Signal::Terminate).await,
        ExitReason::Finished
    );
    let page = manager.metrics.text();
    let (_, series) = parts(&page);
    let interrupted = format!(
        "gitlab_runner_failed_jobs_total{{failure_reason=\"runner_interrupted\",mode=\"traditional\",{entry}}}"
    );
    assert_eq!(series.get(interrupted.as_str()), Some(&"1"));
}

/// Goal: lines of version 2, one for each job, without credentials; a job that has ended is gone.
///
/// Proves RUN-MON-02.
#[tokio::test(start_paused = true)]
async fn the_job_list() {
    let server = Server::new(vec![recorded_job(1001, "5"), recorded_job(1002, "9")]);
    let config = CONFIG.replace("concurrent = 1", "concurrent = 3");
    let manager = watched(&server, &config);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let line = |id: i64, duration: &str| {
        format!(
            "url=http://gitlab.example.com/group/demo/-/jobs/{id} state=running stage=step_script executor_stage=prepare duration={duration}\n"
        )
    };
    assert_eq!(
        manager.metrics.job_list(),
        line(1001, "1.5s") + &line(1002, "1.5s")
    );
    let page = manager.page().await;
    assert!(page.contains("gitlab_runner_jobs{executor_stage=\"prepare\",runner=\"AbCdEfGhI\",runner_name=\"golden\",stage=\"step_script\",state=\"running\",system_id=\"s_0123456789ab\"} 2\n"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(manager.metrics.job_list(), line(1002, "6.5s"));
    assert_eq!(
        manager.run.after(9, Signal::Quit).await,
        ExitReason::Finished
    );
    assert_eq!(manager.metrics.job_list(), "");
}

/// Goal: the state of the process follows stop signals, and is ready also during a shutdown.
///
/// Proves RUN-MON-05.
#[tokio::test(start_paused = true)]
async fn the_state_of_the_process() {
    let server = Server::new(vec![recorded_job(1001, "600")]);
    let manager = watched(&server, CONFIG);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (signal, expected) in [
        (None, "running"),
        (Some(Signal::Hangup), "running"),
        (Some(Signal::Quit), "graceful-shutdown"),
    ] {
        if let Some(signal) = signal {
            manager.run.signals.send(signal).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(manager.metrics.state().name(), expected);
        assert!(manager.metrics.is_ready());
        let info = format!("gitlab_runner_process_state_info{{state=\"{expected}\"}} 1\n");
        let page = manager.page().await;
        assert!(page.contains(&info));
        assert_eq!(page.matches("gitlab_runner_process_state_info{").count(), 1);
    }
    let end = manager.run.after(1, Signal::Terminate).await;
    assert_eq!(end, ExitReason::Finished);
    assert_eq!(manager.metrics.state().name(), "forceful-shutdown");
}

/// Goal: failures to feed, slots that are missing, reloads and times of stages are counted.
#[tokio::test(start_paused = true)]
async fn what_else_is_counted() {
    let forbidden = (0..3).map(|_| (403, json!({})));
    let server = Server::new(forbidden.collect());
    let manager = watched(&server, CONFIG);
    tokio::time::sleep(Duration::from_millis(9500)).await;
    manager.run.config.set(Some("concurrent = ".to_owned()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let page = manager.page().await;
    let entry = "runner=\"AbCdEfGhI\",runner_name=\"golden\",system_id=\"s_0123456789ab\"";
    for line in [
        format!("gitlab_runner_worker_feeds_total{{{entry}}} 3"),
        format!("gitlab_runner_worker_feed_failures_total{{{entry}}} 2"),
        format!("gitlab_runner_worker_health_check_failures_total{{{entry}}} 2"),
        "gitlab_runner_configuration_loaded_total 1".to_owned(),
        "gitlab_runner_configuration_loading_error_total 1".to_owned(),
        "gitlab_runner_api_request_statuses_total{endpoint=\"request_job\",method=\"post\",runner=\"AbCdEfGhI\",status=\"403\",system_id=\"s_0123456789ab\"} 3".to_owned(),
    ] {
        assert!(page.lines().any(|seen| seen == line), "{line}\n{page}");
    }
    manager.run.config.set(Some(format!(
        "{}request_concurrency = 2\nlimit = 7\n[runners.feature_flags]\nFF_EXPORT_HIGH_CARDINALITY_METRICS = true\nFF_USE_ADAPTIVE_REQUEST_CONCURRENCY = false\n",
        CONFIG.replace("concurrent = 1", "concurrent = 2")
    )));
    server.polls.lock().unwrap().push(recorded_job(1, "2"));
    tokio::time::sleep(Duration::from_secs(12)).await;
    let page = manager.page().await;
    for line in [
        "gitlab_runner_concurrent 2".to_owned(),
        "gitlab_runner_worker_slots_number 2".to_owned(),
        "gitlab_runner_worker_slot_operations_total{operation=\"started\"} 2".to_owned(),
        format!("gitlab_runner_limit{{{entry}}} 7"),
        "gitlab_runner_request_concurrency_hard_limit{runner=\"AbCdEfGhI\",system_id=\"s_0123456789ab\"} 2".to_owned(),
        "gitlab_runner_request_concurrency_used_limit{runner=\"AbCdEfGhI\",system_id=\"s_0123456789ab\"} 2".to_owned(),
        "gitlab_runner_configuration_loaded_total 2".to_owned(),
        "gitlab_runner_job_stage_duration_seconds_sum{runner=\"AbCdEfGhI\",runner_name=\"golden\",stage=\"step_script\",system_id=\"s_0123456789ab\"} 2".to_owned(),
    ] {
        assert!(page.lines().any(|seen| seen == line), "{line}\n{page}");
    }
    assert_eq!(
        manager.run.after(1, Signal::Quit).await,
        ExitReason::Finished
    );
}

const BOOT_VERIFY: &str = "[runners.experimental.boot_verify]\nenabled = true\n";

/// Goal: an entry that asks for it runs one small job before anything is polled; until then the process
/// is not ready, and without such an entry it is at once.
///
/// Proves RUN-MON-04.
#[tokio::test(start_paused = true)]
async fn ready_after_boot_verification() {
    let server = Server::new(Vec::new());
    let manager = watched(&server, &format!("{CONFIG}{BOOT_VERIFY}"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!manager.metrics.is_ready());
    assert_eq!(manager.metrics.state(), ProcessState::Starting);
    // Metrics are there meanwhile.
    assert!(
        manager
            .page()
            .await
            .contains("gitlab_runner_concurrent 1\n")
    );
    assert!(server.seen().is_empty());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(manager.metrics.is_ready());
    assert_eq!(manager.metrics.state(), ProcessState::Running);
    assert_eq!(server.polls().into_values().next(), Some(vec![10]));
    assert_eq!(
        manager.run.after(1, Signal::Quit).await,
        ExitReason::Finished
    );
    // One that is ready at once.
    let manager = watched(&server, CONFIG);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(manager.metrics.is_ready());
    assert_eq!(
        manager.run.after(1, Signal::Quit).await,
        ExitReason::Finished
    );
}

/// Goal: a job that fails ends the process with its log and exit code 1; a stop signal ends it too.
/// Nothing is polled.
///
/// Proves RUN-MON-04.
#[tokio::test(start_paused = true)]
async fn boot_verification_that_fails() {
    let server = Server::new(Vec::new());
    let broken = CONFIG.replace("golden", "broken");
    let manager = watched(&server, &format!("{broken}{BOOT_VERIFY}"));
    let end = manager.run.end.await.unwrap();
    assert_eq!(end.code(), 1);
    let ExitReason::RunFailed(text) = end else {
        panic!("{end:?}");
    };
    let start = "runner \"broken\" boot-verify failed: build.Run: exit status 1\n--- build output ---\n1970-";
    assert!(text.starts_with(start), "{text}");
    assert!(text.ends_with("00O \x1b[31;1mERROR: Job failed: exit status 1\x1b[0;m\n"));
    assert!(!text.contains("section_start"));
    assert!(!manager.metrics.is_ready());

    let manager = watched(&server, &format!("{CONFIG}{BOOT_VERIFY}"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    manager.run.signals.send(Signal::Terminate).await.unwrap();
    assert_eq!(manager.run.end.await.unwrap(), ExitReason::Finished);
    assert!(server.seen().is_empty());
}

/// A job whose script fails at once.
pub(super) fn failing() -> ScriptedJob {
    let mut job = ScriptedJob::lasting(Duration::ZERO, 0);
    let stage = ScriptedStage {
        end: StageEnd::After {
            duration: Duration::ZERO,
            exit_code: 1,
        },
        ..ScriptedStage::default()
    };
    job.stages.insert("step_script".to_owned(), vec![stage]);
    job
}
