//! Pages over HTTP, against the recordings `metrics` and `process-states`.

use std::io::Read as _;
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{EntryLabels, JobState, JobWatch, Metrics, ProcessState, serve};
use crate::logging::Log;

/// A response: status line, headers in lower case, body.
struct Page {
    status: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Page {
    fn parse(bytes: &[u8]) -> Page {
        let end = memchr::memmem::find(bytes, b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        Page {
            status: lines.next().unwrap().to_owned(),
            headers: lines
                .map(|line| line.split_once(": ").unwrap())
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    /// Headers that do not depend on time, size and connection.
    fn lasting_headers(&self) -> Vec<(&str, &str)> {
        let mut headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| {
                !["date", "content-length", "transfer-encoding", "connection"].contains(name)
            })
            .collect();
        headers.sort_unstable();
        headers
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

async fn served(metrics: &Metrics, request: &str) -> Page {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let refresh = Arc::new(|| {
        let done: crate::client::transport::BoxFuture<'static, ()> = Box::pin(async {});
        done
    });
    let server = tokio::spawn(serve(listener, metrics.clone(), refresh));
    let mut connection = TcpStream::connect(address).await.unwrap();
    let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
    let mut text = format!("{line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
    for header in headers.lines() {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    connection.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).await.unwrap();
    server.abort();
    Page::parse(&bytes)
}

/// Metrics of a ready process with the two jobs of the recording.
fn recorded() -> (Metrics, [JobWatch; 2]) {
    let metrics = Metrics::new(Log::stderr());
    metrics.set_state(ProcessState::Running);
    metrics.set_ready();
    let entry = EntryLabels {
        runner: "AbCdEfGhI".to_owned(),
        runner_name: "golden".to_owned(),
        system_id: "s_0123456789ab".to_owned(),
    };
    let jobs = [1001, 1002].map(|id| {
        let payload = json!({"id": id, "token": "t",
            "git_info": {"repo_url": "http://gitlab-ci-token:x@gitlab.example.com/group/demo.git"}});
        let payload = protocol::go_json::from_slice(payload.to_string().as_bytes()).unwrap();
        let job = metrics.job(&entry, &payload);
        job.state(JobState::Running);
        job.stage("step_script");
        job.executor_stage(super::ExecutorStage::Prepare);
        job
    });
    (metrics, jobs)
}

/// Goal: every page of the recording `process-states`: method, status, headers, text.
///
/// Proves RUN-MON-01, RUN-MON-02.
#[tokio::test]
async fn the_recorded_pages() {
    let (metrics, _jobs) = recorded();
    let pages = include_str!("../../tests/data/metrics/pages.txt").replace("\r\n", "\n");
    let mut count = 0;
    for recorded in pages.split("== ").skip(1) {
        let (request, answer) = recorded.split_once('\n').unwrap();
        // The request's own header stands behind the path.
        let mut words = request.splitn(3, ' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let header = words.next().unwrap_or_default();
        let (head, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
        let expected = Page::parse(format!("{}\r\n\r\n", head.replace('\n', "\r\n")).as_bytes());
        let page = served(&metrics, &format!("{method} {path}\n{header}")).await;
        assert_eq!(page.status, expected.status, "{request}");
        assert_eq!(
            page.lasting_headers(),
            expected.lasting_headers(),
            "{request}"
        );
        if path.starts_with("/metrics") {
            count += 1;
            continue;
        }
        let undated = |text: &str| {
            let lines = text
                .lines()
                .map(|line| line.split(" duration=").next().unwrap());
            lines.collect::<Vec<_>>().join("\n")
        };
        let body = body.trim_end_matches('\n');
        assert_eq!(undated(&page.text()), undated(body), "{request}");
        count += 1;
    }
    assert!(count >= 14, "{count} pages");
}

/// Goal: the page of metrics is the same packed and plain.
#[tokio::test]
async fn packed_metrics() {
    let (metrics, _jobs) = recorded();
    for (accept, packed) in [
        ("Accept-Encoding: gzip", true),
        ("Accept-Encoding: deflate, GZIP;q=0.5", true),
        ("Accept-Encoding: gzip;q=0", false),
        ("Accept: */*", false),
    ] {
        let page = served(&metrics, &format!("GET /metrics\n{accept}")).await;
        let encoding = page
            .headers
            .iter()
            .find(|(name, _)| name == "content-encoding");
        assert_eq!(encoding.is_some(), packed, "{accept}");
        let text = if packed {
            let mut text = String::new();
            let mut decoder = flate2::read::GzDecoder::new(&page.body[..]);
            decoder.read_to_string(&mut text).unwrap();
            text
        } else {
            page.text()
        };
        assert!(text.contains("\ngitlab_runner_jobs_total{"), "{accept}");
    }
}

/// Goal: state and readiness as text; pprof is refused with a reason.
#[tokio::test]
async fn states_and_refusals() {
    let metrics = Metrics::new(Log::stderr());
    let page = served(&metrics, "GET /health/ready").await;
    assert_eq!(page.status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(page.text(), "boot-verify pending\n");
    assert_eq!(
        served(&metrics, "GET /debug/process/state").await.text(),
        "starting\n"
    );
    metrics.set_ready();
    metrics.set_state(ProcessState::GracefulShutdown);
    let page = served(&metrics, "GET /health/ready").await;
    assert_eq!(page.status, "HTTP/1.1 200 OK");
    assert_eq!(page.text(), "ready\n");
    let page = served(&metrics, "GET /debug/process/state").await;
    assert_eq!(page.text(), "graceful-shutdown\n");
    for path in [
        "/debug/pprof/",
        "/debug/pprof/heap",
        "/debug/pprof/profile?seconds=1",
    ] {
        let page = served(&metrics, &format!("GET {path}")).await;
        assert_eq!(page.status, "HTTP/1.1 501 Not Implemented");
        assert!(page.text().contains("pprof profiles Go programs"));
    }
}
