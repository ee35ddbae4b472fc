//! A manager in virtual time: what its entries send, and what it makes of answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use protocol::Features;
use runner::client::{ApiClient, Transport, TransportError};
use runner::clock::{SystemClock, TokioClock};
use runner::executor::Executor;
use runner::executor::scripted::{ScriptedExecutor, ScriptedJob, ScriptedStage, StageEnd};
use runner::host::Host;
use runner::logging::{Format, Level, Log};
use runner::random::Random;
use runner::schedule::{
    ExecutorInfo, ExecutorProvider, ExecutorRequest, ExitReason, Manager, ManagerOptions,
    MemoryConfig, Signal, SpoolKind, TransportFactory, TransportTarget,
};
use serde_json::{Value, json};
use tracing::instrument::WithSubscriber as _;

use super::memory::{Memory, NOW, Reply};
use super::support::{JOB, RUNNER, SYSTEM_ID};

impl TransportFactory for Memory {
    fn transport(&self, _: &TransportTarget) -> Result<Arc<dyn Transport>, TransportError> {
        Ok(Arc::new(self.clone()))
    }
}

/// Plays the same for every job.
#[derive(Debug)]
struct Plays(ScriptedJob);

impl ExecutorProvider for Plays {
    fn info(&self, name: &str) -> Option<ExecutorInfo> {
        (name == "shell").then(|| ExecutorInfo {
            features: Features::shell_executor(),
            default_shell: "bash",
        })
    }

    fn executor(&self, _: ExecutorRequest<'_>) -> Option<Box<dyn Executor>> {
        Some(Box::new(ScriptedExecutor::new(self.0.clone())))
    }
}

/// Runs a manager with `config` for so many seconds, then lets it end; its log. Every job takes a second.
async fn run(server: &Memory, config: &str, seconds: u64) -> String {
    let job = ScriptedJob::lasting(Duration::from_secs(1), 0);
    play(server, config, seconds, job).await
}

/// The same with jobs that do something else.
async fn play(server: &Memory, config: &str, seconds: u64, job: ScriptedJob) -> String {
    let clock = Arc::new(TokioClock::starting_at(NOW.parse().unwrap()));
    let sink = Arc::new(Mutex::new(Vec::new()));
    let log = Log::new(Arc::clone(&sink) as runner::logging::Sink, clock.clone());
    log.fix(Some(Level::Info), Some(Format::Json));
    let (signals, receiver) = tokio::sync::mpsc::channel(1);
    let options = ManagerOptions {
        config: Arc::new(MemoryConfig::new(config)),
        transports: Arc::new(server.clone()),
        executors: Arc::new(Plays(job)),
        clock,
        random: Random::from_seed(7),
        host: Host {
            hostname: "vm".to_owned(),
            platform: "linux",
            architecture: "amd64",
            working_directory: "/srv".into(),
            executable: "/usr/bin/gitlab-runner".into(),
            system_id: SYSTEM_ID.to_owned(),
        },
        spool: SpoolKind::Memory,
        log: log.clone(),
    };
    let manager = Manager::new(options, receiver).run();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        signals.send(Signal::Quit).await.unwrap();
    };
    let both = async { tokio::join!(manager, stop).0 };
    let reason = both.with_subscriber(log.dispatch()).await;
    assert_eq!(reason, ExitReason::Finished);
    String::from_utf8(sink.lock().unwrap().clone()).unwrap()
}

fn entry(url: &str, token: &str, more: &str) -> String {
    format!(
        "[[runners]]\nname='one'\nurl='{url}'\ntoken='{token}'\nexecutor='shell'\nshell='bash'\n{more}\n"
    )
}

fn is_poll(seen: &super::memory::Seen) -> bool {
    seen.url.ends_with("/jobs/request")
}

fn job(more: &Value) -> Reply {
    let mut payload = json!({
        "id": 1001, "token": JOB,
        "job_info": {"name": "test", "project_id": 1},
        "git_info": {"repo_url": "http://h/g/p.git", "sha": "1111111111111111111111111111111111111111"},
        "runner_info": {"timeout": 3600},
        "variables": [{"key": "GIT_STRATEGY", "value": "none", "public": true, "masked": false}],
        "steps": [{"name": "script", "script": ["true"]}],
        "features": {"trace_sections": true, "failure_reasons": ["runner_system_failure"]},
    });
    for (name, value) in more.as_object().unwrap() {
        payload[name] = value.clone();
    }
    Reply::status(201).json(&payload)
}

/// Gives one job, takes its log; answers its updates from a list, then 200.
fn one_job(job: Reply, updates: Vec<Reply>) -> Memory {
    let (mut job, mut updates) = (Some(job), updates.into_iter());
    Memory::new(move |seen| {
        if is_poll(seen) {
            job.take().unwrap_or_else(|| Reply::status(204))
        } else if seen.method == Method::PATCH {
            Reply::status(202)
        } else {
            updates.next().unwrap_or_else(|| Reply::status(200))
        }
    })
}

/// States of the updates of jobs, with reason and exit code.
fn updates(server: &Memory) -> Vec<String> {
    let puts = server.seen().into_iter();
    let puts = puts.filter(|seen| seen.method == Method::PUT);
    let lines = puts.map(|seen| {
        let body = seen.json();
        let part = |name: &str| body.get(name).map(|value| format!(" {value}"));
        [
            body["state"].as_str().unwrap().to_owned(),
            part("failure_reason").unwrap_or_default(),
            part("exit_code").unwrap_or_default(),
        ]
        .concat()
    });
    lines.collect()
}

/// A URL with another scheme: no request at all, and an unhealthy answer each time, so that the entry is
/// left alone after three.
///
/// Proves WIRE-CON-02.
#[tokio::test(start_paused = true)]
async fn other_schemes() {
    for url in [
        "ftp://gitlab.test",
        "unix:///run/gitlab",
        "gitlab.test",
        "file:///x",
    ] {
        let server = Memory::list(vec![Reply::status(204)]);
        let transport = Arc::new(server.clone());
        let random = Random::from_seed(1);
        let client = ApiClient::new(url, transport, random, Arc::new(SystemClock));
        assert!(client.is_err(), "{url}");
        let config = entry(url, RUNNER, "");
        let log = run(&server, &format!("concurrent = 1\n{config}"), 60).await;
        assert!(server.seen().is_empty(), "{url}");
        let errors = log.matches("Checking for jobs... client error").count();
        assert_eq!(errors, 3, "{url}: {log}");
        assert!(log.contains("only http or https scheme supported"), "{log}");
    }
    // Scheme and host are read as everywhere.
    let server = Memory::list(vec![Reply::status(204)]);
    let config = entry("HTTP://GitLab.test/ci//", RUNNER, "");
    run(&server, &format!("concurrent = 1\n{config}"), 1).await;
    assert_eq!(
        server.seen()[0].url,
        "http://gitlab.test/api/v4/jobs/request"
    );
}

/// The first poll byte for byte, for the executor that this runner has: members in their order, all 31
/// features, nothing that is empty. `labels` only when there are some.
///
/// Proves WIRE-REQ-01.
#[tokio::test(start_paused = true)]
async fn the_body_of_a_poll() {
    let body = |labels: &str| {
        format!(
            concat!(
                r#"{{"info":{{"name":"gitlab-runner","version":"19.4.0","revision":"gauntlet","#,
                r#""platform":"linux","architecture":"amd64","executor":"shell","shell":"bash","#,
                r#""features":{{"variables":true,"image":false,"services":false,"artifacts":true,"#,
                r#""cache":true,"fallback_cache_keys":true,"shared":true,"#,
                r#""upload_multiple_artifacts":true,"upload_raw_artifacts":true,"session":true,"#,
                r#""terminal":true,"refspecs":true,"masking":true,"proxy":false,"#,
                r#""raw_variables":true,"artifacts_exclude":true,"multi_build_steps":true,"#,
                r#""trace_reset":true,"trace_checksum":true,"trace_size":true,"#,
                r#""vault_secrets":true,"cancelable":true,"return_exit_code":true,"#,
                r#""service_variables":false,"service_multiple_aliases":false,"#,
                r#""image_executor_opts":false,"service_executor_opts":false,"#,
                r#""cancel_gracefully":true,"native_steps_integration":true,"#,
                r#""two_phase_job_commit":true,"job_inputs":true}},"config":{{"gpus":""}}{}}},"#,
                r#""token":"glrt-t3_AbCdEfGhIjKlMnOpQrSt","system_id":"s_0123456789ab"}}"#
            ),
            labels
        )
    };
    for (more, labels) in [
        ("", ""),
        (
            "[runners.labels]\nzone='eu-1'",
            r#","labels":{"zone":"eu-1"}"#,
        ),
    ] {
        let server = Memory::list(vec![Reply::status(204)]);
        let config = entry("http://gitlab.test", RUNNER, more);
        run(&server, &format!("concurrent = 1\n{config}"), 1).await;
        let sent = String::from_utf8(server.seen()[0].body.to_vec()).unwrap();
        assert_eq!(sent, body(labels));
    }
    // An executor that this runner does not have is not polled for.
    let server = Memory::list(vec![Reply::status(204)]);
    let config = entry("http://gitlab.test", RUNNER, "").replace("'shell'", "'nomad'");
    run(&server, &format!("concurrent = 1\n{config}"), 10).await;
    assert!(server.seen().is_empty());
}

/// Options of images: `user` as text or number, and what is unknown fails the job with exit code 3
/// before it is tried.
///
/// Proves WIRE-PAY-11.
#[tokio::test(start_paused = true)]
async fn options_of_images() {
    let image = |options: &Value| json!({"image": {"name": "x", "executor_opts": options}});
    let service = |options: &Value| json!({"services": [{"name": "x", "executor_opts": options}]});
    for (options, known) in [
        (json!({}), true),
        (json!(null), true),
        (
            json!({"docker": {"user": "1000", "platform": "linux/arm64"}}),
            true,
        ),
        (json!({"docker": {"user": 1000}}), true),
        (json!({"kubernetes": {"user": 1000}}), true),
        (json!({"kubernetes": {"user": "1000"}}), true),
        (json!({"docker": {"uzer": 1000}}), false),
        (json!({"kubernetes": {"platform": "x"}}), false),
        (json!({"podman": {}}), false),
    ] {
        for more in [image(&options), service(&options)] {
            let server = one_job(job(&more), Vec::new());
            let config = entry("http://gitlab.test", RUNNER, "");
            run(&server, &format!("concurrent = 1\n{config}"), 10).await;
            let expected: &[&str] = if known {
                &["running", "success"]
            } else {
                &["failed \"runner_system_failure\" 3"]
            };
            assert_eq!(updates(&server), expected, "{more}");
        }
    }
}

/// A first update that fails does not keep the job from running.
///
/// Proves WIRE-UPD-10.
#[tokio::test(start_paused = true)]
async fn a_job_runs_whatever_its_first_update_met() {
    for status in [202, 400, 409, 412, 501] {
        let server = one_job(job(&json!({})), vec![Reply::status(status)]);
        let config = entry("http://gitlab.test", RUNNER, "");
        run(&server, &format!("concurrent = 1\n{config}"), 10).await;
        assert_eq!(updates(&server), ["running", "success"], "{status}");
    }
    for status in [500, 502, 503, 504, 429] {
        let server = one_job(job(&json!({})), vec![Reply::status(status); 5]);
        let config = entry("http://gitlab.test", RUNNER, "");
        run(&server, &format!("concurrent = 1\n{config}"), 10).await;
        let mut expected = vec!["running"; 5];
        expected.push("success");
        assert_eq!(updates(&server), expected, "{status}");
    }
    for status in [403, 404] {
        let server = one_job(job(&json!({})), vec![Reply::status(status)]);
        let config = entry("http://gitlab.test", RUNNER, "");
        run(&server, &format!("concurrent = 1\n{config}"), 10).await;
        assert_eq!(updates(&server), ["running"], "{status}");
    }
}

/// With `FF_USE_JOB_ROUTER`, the entry asks where the router is, once in an hour, and polls directly.
#[tokio::test(start_paused = true)]
async fn the_flag_of_the_router() {
    for (flag, questions) in [("true", 2), ("false", 0)] {
        let server = Memory::new(|seen| Reply::status(if is_poll(seen) { 204 } else { 501 }));
        let more = format!("[runners.feature_flags]\nFF_USE_JOB_ROUTER = {flag}");
        let config = entry("http://gitlab.test", RUNNER, &more);
        run(&server, &format!("concurrent = 1\n{config}"), 4000).await;
        let seen = server.seen();
        let asked = seen.iter().filter(|seen| seen.method == Method::GET);
        assert_eq!(asked.count(), questions);
        assert_eq!(
            seen[0].method,
            if questions > 0 {
                Method::GET
            } else {
                Method::POST
            }
        );
        assert!(seen.len() > 1000);
    }
}

/// Entries with the same URL and token are one client with one `last_update`; another token, or another
/// CA file, is another client.
///
/// Proves WIRE-REQ-02.
#[tokio::test(start_paused = true)]
async fn who_shares_last_update() {
    let mut number = 0;
    let server = Memory::new(move |_| {
        number += 1;
        Reply::status(204).header("x-gitlab-last-update", &format!("value-{number}"))
    });
    let url = "http://gitlab.test";
    let entries = [
        entry(url, "token-a", ""),
        entry(url, "token-a", ""),
        entry(url, "token-b", ""),
        entry(url, "token-b", "tls-ca-file='/nonexistent'"),
        entry("http://gitlab.test/", "token-a", ""),
    ];
    run(&server, &format!("concurrent = 9\n{}", entries.concat()), 4).await;
    let sent: Vec<Value> = server
        .seen()
        .iter()
        .take(7)
        .map(|seen| seen.json()["last_update"].clone())
        .collect();
    assert_eq!(
        sent,
        [
            json!(null),
            json!("value-1"),
            json!(null),
            json!(null),
            json!(null),
            // The second round: the second entry's answer, not the first's own.
            json!("value-2"),
            json!("value-6"),
        ]
    );
}

/// Every answer says `canceling` from the first patch on. The first one stops the script; the others stop
/// nothing, least of all after_script, and patches go on.
///
/// Proves WIRE-TRC-09, RUN-JOB-17.
#[tokio::test(start_paused = true)]
async fn canceling_counts_once() {
    let told = |status| Reply::status(status).header("job-status", "canceling");
    let steps = json!([
        {"name": "script", "script": ["true"]},
        {"name": "after_script", "script": ["true"]},
    ]);
    let features = json!({"trace_sections": true, "failure_reasons": ["job_canceled"]});
    let mut first = Some(job(&json!({ "steps": steps, "features": features })));
    let server = Memory::new(move |seen| {
        if is_poll(seen) {
            first.take().unwrap_or_else(|| Reply::status(204))
        } else if seen.method == Method::PATCH {
            told(202)
        } else {
            Reply::status(200)
        }
    });
    let seconds = Duration::from_secs;
    let mut after = ScriptedStage {
        end: StageEnd::After {
            duration: seconds(10),
            exit_code: 0,
        },
        ..ScriptedStage::default()
    };
    for second in 0..10 {
        after = after.with_line(seconds(second), "cleaning up");
    }
    let script = ScriptedJob::lasting(seconds(100), 0).with_stage("after_script", after);
    let config = entry("http://gitlab.test", RUNNER, "");
    play(&server, &format!("concurrent = 1\n{config}"), 30, script).await;

    assert_eq!(updates(&server), ["running", "failed \"job_canceled\""]);
    let seen = server.seen();
    let times = |method| {
        let seen = seen.iter().filter(move |seen| seen.method == method);
        seen.map(|seen| seen.at.as_secs()).collect::<Vec<_>>()
    };
    assert_eq!(times(Method::PATCH), [3, 6, 9, 12, 13]);
    assert_eq!(times(Method::PUT), [0, 13]);
    let log: Vec<u8> = seen
        .iter()
        .filter(|seen| seen.method == Method::PATCH)
        .flat_map(|seen| seen.body.to_vec())
        .collect();
    let log = String::from_utf8(log).unwrap();
    assert_eq!(
        log.matches("script canceled externally").count(),
        1,
        "{log}"
    );
    assert_eq!(log.matches("cleaning up").count(), 10, "{log}");
}

/// A job that sets feature flags which do nothing here is told of in the process log, not in its own.
#[tokio::test(start_paused = true)]
async fn flags_of_a_job_without_effect_are_named() {
    let flag = |name: &str, value: &str| json!({"key": name, "value": value, "public": true});
    for (value, named) in [("true", true), ("false", false)] {
        let variables = json!([
            flag("GIT_STRATEGY", "none"),
            flag("FF_NETWORK_PER_BUILD", value),
            flag("FF_SCRIPT_SECTIONS", "true"),
        ]);
        let server = one_job(job(&json!({ "variables": variables })), Vec::new());
        let config = entry("http://gitlab.test", RUNNER, "");
        let log = run(&server, &format!("concurrent = 1\n{config}"), 10).await;
        let lines = log.lines().filter(|line| line.contains("does not act on"));
        let lines: Vec<Value> = lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), usize::from(named), "{log}");
        if named {
            assert_eq!(lines[0]["flags"], "FF_NETWORK_PER_BUILD");
            assert_eq!(lines[0]["job"], 1001);
        }
    }
}
