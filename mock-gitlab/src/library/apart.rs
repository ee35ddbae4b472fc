//! Servers in one process share nothing, not even the clock of their caller.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use protocol::JobStatus;
use serde_json::{Value, json};

use super::MockGitlab;

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().tls_certs_only([]);
    client.build().unwrap()
}

async fn send(gitlab: &MockGitlab, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/api/v4{path}", gitlab.url());
    let request = client().request(method.parse().unwrap(), url);
    let request = request.header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// A runner that takes a job, waits an hour of its own time and ends it.
async fn run_for_an_hour(gitlab: &MockGitlab, token: &str) {
    let (status, job) = send(gitlab, "POST", "/jobs/request", &json!({ "token": token })).await;
    assert_eq!(status, 201, "{job}");
    tokio::time::sleep(Duration::from_hours(1)).await;
    let end = json!({ "token": job["token"], "state": "success" });
    let path = format!("/jobs/{}", job["id"]);
    assert_eq!(send(gitlab, "PUT", &path, &end).await.0, 200);
}

/// Two servers in one test whose clock is paused: an hour passes in the test and not in the servers, whose
/// jobs (timeout 10 min) live; waits end by what happens, not by the clock that jumps; neither server
/// sees anything of the other.
#[tokio::test(start_paused = true)]
async fn two_servers_under_a_paused_clock() {
    let start = || MockGitlab::builder().seed(7).start().unwrap();
    let (one, two) = (start(), start());
    let flow = async |gitlab: &MockGitlab, jobs: usize| {
        let project = gitlab.project("group/demo").create().unwrap();
        let runner = gitlab.runner().create().unwrap();
        let before = tokio::time::Instant::now();
        for _ in 0..jobs {
            let job = project.job("test").with(|job| job.timeout = Some(600));
            let job = job.create().unwrap();
            let token = runner.token();
            let runs = run_for_an_hour(gitlab, &token);
            let ((), waited) = tokio::join!(runs, job.wait_for(JobStatus::Success));
            waited.unwrap();
            assert_eq!((job.updates(), job.patches().len()), (1, 0));
        }
        assert!(before.elapsed() >= Duration::from_hours(1) * u32::try_from(jobs).unwrap());
        runner.token()
    };
    let before = Timestamp::try_from(SystemTime::now()).unwrap();
    let (first, second) = tokio::join!(flow(&one, 1), flow(&two, 3));
    // Real time it is on both servers: not an hour later than this test began, as long as it is not.
    let after = Timestamp::try_from(SystemTime::now()).unwrap();
    for gitlab in [&one, &two] {
        let now = gitlab.act(|_, now| now);
        assert!(before <= now && now.duration_since(after) < jiff::SignedDuration::from_mins(10));
    }
    // One seed and the same first calls: the same tokens. All else is apart.
    assert_eq!(first, second);
    let seen = |gitlab: &MockGitlab| {
        let jobs = gitlab.act(|world, _| world.jobs().count());
        (
            jobs,
            gitlab.requests_to("/jobs/request").len(),
            gitlab.requests().len(),
        )
    };
    assert_eq!((seen(&one), seen(&two)), ((1, 1, 2), (3, 3, 6)));
    drop(one);
    let (status, _) = send(&two, "POST", "/jobs/request", &json!({ "token": second })).await;
    assert_eq!(status, 204, "the other one goes on");
}

/// Many at once, each from a thread of its own: every one has its own address, world and end.
#[test]
fn many_servers_in_parallel() {
    let threads: Vec<_> = (1..=8_usize)
        .map(|count| {
            std::thread::spawn(move || {
                let gitlab = MockGitlab::start().unwrap();
                let project = gitlab.project("demo").create().unwrap();
                for _ in 0..count {
                    project.job("test").create().unwrap();
                }
                (count, gitlab)
            })
        })
        .collect();
    let servers: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    let mut urls = std::collections::BTreeSet::new();
    for (count, gitlab) in &servers {
        assert_eq!(gitlab.act(|world, _| world.pending_count()), *count);
        assert!(gitlab.job(i64::try_from(*count).unwrap()).is_some());
        assert!(gitlab.job(i64::try_from(*count).unwrap() + 1).is_none());
        urls.insert(gitlab.url().to_owned());
    }
    assert_eq!(urls.len(), servers.len());
}
