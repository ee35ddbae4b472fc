//! Recorded lines of the official runner, made again from their fields.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::{FATAL, Format, Level, Log, duration, job_span, runner_span, signal};
use crate::clock::Clock;

#[derive(Debug)]
struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// What `record` writes at `now` with this level and format fixed.
fn written(now: &str, level: Level, format: Format, record: impl FnOnce()) -> String {
    let sink = Arc::new(Mutex::new(Vec::new()));
    let now: Timestamp = now.parse().expect("a time stamp");
    let log = Log::new(Arc::clone(&sink) as super::Sink, Arc::new(At(now)));
    log.fix(Some(level), Some(format));
    tracing::dispatcher::with_default(&log.dispatch(), record);
    let bytes = sink.lock().expect("no test panics while writing").clone();
    String::from_utf8(bytes).expect("records are text")
}

fn runner(record: impl FnOnce()) -> String {
    written("2026-11-25T01:56:59Z", Level::Info, Format::Runner, record)
}

/// Goal: lines of `shell-success` and `sigterm`, byte for byte: padding, order and colour of keys.
///
/// Proves RUN-CLI-04.
#[test]
fn runner_format_equals_the_recorded_lines() {
    assert_eq!(
        runner(|| tracing::info!(
            version = "19.4.0",
            arch = "amd64",
            os = "linux",
            pid = 18440,
            revision = "d79f3e7b",
            "Runtime platform"
        )),
        "Runtime platform                                  \x1b[0;m  arch\x1b[0;m=amd64 os\x1b[0;m=linux \
         pid\x1b[0;m=18440 revision\x1b[0;m=d79f3e7b version\x1b[0;m=19.4.0\n"
    );
    assert_eq!(
        runner(|| tracing::info!("")),
        "                                                  \x1b[0;m \n"
    );
    assert_eq!(
        runner(|| tracing::warn!(
            builds = 0,
            max_builds = 1,
            "stop-signal" = signal(3, "quit"),
            "[runWait] received stop signal"
        )),
        "\x1b[0;33mWARNING: [runWait] received stop signal           \x1b[0;m  \x1b[0;33mbuilds\x1b[0;m=0 \
         \x1b[0;33mmax_builds\x1b[0;m=1 \x1b[0;33mstop-signal\x1b[0;m=quit\n"
    );
    assert_eq!(
        runner(
            || tracing::error!(target: FATAL, error = "shutdown timed out", "Service run failed")
        ),
        "\x1b[31;1mFATAL: Service run failed                         \x1b[0;m  \
         \x1b[31;1merror\x1b[0;m=shutdown timed out\n"
    );
    assert_eq!(
        runner(|| tracing::info!(
            code = 202,
            "job-log" = "0-2598",
            status = "202 Accepted",
            "update-interval" = duration(Duration::from_secs(3)),
            "Appending trace to coordinator...ok"
        )),
        "Appending trace to coordinator...ok               \x1b[0;m  code\x1b[0;m=202 \
         job-log\x1b[0;m=0-2598 status\x1b[0;m=202 Accepted update-interval\x1b[0;m=3s\n"
    );
}

/// Goal: lines of `log-format` in the formats json and text, byte for byte.
#[test]
fn json_and_text_equal_the_recorded_lines() {
    let json = |now, record: fn()| written(now, Level::Info, Format::Json, record);
    let text = |now, record: fn()| written(now, Level::Debug, Format::Text, record);
    assert_eq!(
        json("2026-11-25T01:56:54.199336158Z", || tracing::info!(
            builds = 0,
            max_builds = 1,
            "listen_address not defined, metrics & debug endpoints disabled"
        )),
        "{\"builds\":0,\"level\":\"info\",\"max_builds\":1,\"msg\":\"listen_address not defined, \
         metrics \\u0026 debug endpoints disabled\",\"time\":\"2026-11-25T01:56:54.199336158Z\"}\n"
    );
    assert_eq!(
        json("2026-11-25T01:56:59.108763235Z", || tracing::warn!(
            StopSignal = signal(3, "quit"),
            builds = 0,
            max_builds = 1,
            "Starting graceful shutdown, waiting for builds to finish"
        )),
        "{\"StopSignal\":3,\"builds\":0,\"level\":\"warning\",\"max_builds\":1,\"msg\":\"Starting \
         graceful shutdown, waiting for builds to finish\",\"time\":\"2026-11-25T01:56:59.108763235Z\"}\n"
    );
    assert_eq!(
        json("2026-11-25T01:56:59.108844662Z", || tracing::info!(
            "shutdown-timeout" = duration(Duration::from_secs(30)),
            "Shutting down executor providers"
        )),
        "{\"level\":\"info\",\"msg\":\"Shutting down executor providers\",\"shutdown-timeout\":30000000000,\
         \"time\":\"2026-11-25T01:56:59.108844662Z\"}\n"
    );
    assert_eq!(
        text("2026-11-25T01:56:59.211596942Z", || tracing::info!("")),
        "time=\"2026-11-25T01:56:59.211596942Z\" level=info\n"
    );
    // The fraction loses its trailing zeros.
    assert_eq!(
        text("2026-11-25T01:57:02.21751836Z", || tracing::info!(
            checksum = "",
            status = "204 No Content",
            project_full_path = "group/demo",
            repo_url = "http://gitlab.example.com/group/demo.git",
            "Checking for jobs... received"
        )),
        "time=\"2026-11-25T01:57:02.21751836Z\" level=info msg=\"Checking for jobs... received\" checksum= \
         project_full_path=group/demo repo_url=\"http://gitlab.example.com/group/demo.git\" \
         status=\"204 No Content\"\n"
    );
    assert_eq!(
        text("2026-11-25T01:57:02.219266115Z", || tracing::debug!(
            "\x1b[36;1mPreparing the \"shell\" executor\x1b[0;m"
        )),
        "time=\"2026-11-25T01:57:02.219266115Z\" level=debug \
         msg=\"\\x1b[36;1mPreparing the \\\"shell\\\" executor\\x1b[0;m\"\n"
    );
}

/// Goal: spans give their fields, a record's own field wins, an absent option leaves no key.
#[test]
fn records_carry_the_fields_of_their_spans() {
    let job = protocol::JobPayload {
        id: 1001.into(),
        ..Default::default()
    };
    let line = written("2026-11-25T01:56:54Z", Level::Info, Format::Text, || {
        let _runner = runner_span("AbCdEfGhI", "golden").entered();
        tracing::info!(project = 42, "one");
        let _job = job_span(&job).entered();
        tracing::info!(job = 7, nothing = None::<i64>, duration_s = 0.00005, "two");
    });
    assert_eq!(
        line,
        "time=\"2026-11-25T01:56:54Z\" level=info msg=one project=42 runner=AbCdEfGhI runner_name=golden\n\
         time=\"2026-11-25T01:56:54Z\" level=info msg=two duration_s=5e-05 gitlab_user_id=0 job=7 \
         namespace_id=0 organization_id=0 pipeline_id=0 project=0 project_full_path= root_namespace_id=0 \
         runner=AbCdEfGhI runner_name=golden\n"
    );
}

/// Goal: what the command line fixed stays, whatever a configuration says; the rest follows it.
///
/// Proves RUN-CLI-04.
#[test]
fn the_command_line_beats_the_configuration() {
    let sink = Arc::new(Mutex::new(Vec::new()));
    let clock = Arc::new(At(Timestamp::UNIX_EPOCH));
    let log = Log::new(Arc::clone(&sink) as super::Sink, clock);
    log.fix(Some(Level::Warning), None);
    log.configure(Some(Level::Debug), Some(Format::Json));
    tracing::dispatcher::with_default(&log.dispatch(), || {
        tracing::info!("hidden");
        tracing::warn!("shown");
        log.configure(None, None);
        tracing::error!("again");
    });
    let text = String::from_utf8(sink.lock().expect("free").clone()).expect("text");
    assert_eq!(
        text,
        "{\"level\":\"warning\",\"msg\":\"shown\",\"time\":\"1970-01-01T00:00:00Z\"}\n\
         \x1b[31;1mERROR: again                                      \x1b[0;m \n"
    );
    assert_eq!((log.count(Level::Warning), log.count(Level::Error)), (1, 1));
    assert_eq!(log.count(Level::Fatal), 0);
}

/// Goal: other crates log for themselves, not for the operator.
#[test]
fn records_of_other_crates_are_not_shown() {
    let line = written("2026-11-25T01:56:54Z", Level::Debug, Format::Text, || {
        tracing::warn!(target: "hyper::client", "noise");
        tracing::warn!(target: "runner_other", "noise");
    });
    assert_eq!(line, "");
}
