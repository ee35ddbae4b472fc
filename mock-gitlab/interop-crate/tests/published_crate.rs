//! The published crate `gitlab-runner`, unmodified, takes the mock server for GitLab.

use std::sync::Arc;

use gitlab_runner::{GitlabLayer, Runner, RunnerBuilder};
use mock_gitlab::MockGitlab;
use mock_gitlab::library::RunnerHandle;
use mock_gitlab::world::Settings;
use mock_gitlab_interop_crate::{Cleanup, Play};
use protocol::JobStatus;
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// A server and a runner of the crate. It lives in one thread, whose subscriber carries the jobs' logs.
struct Pair {
    gitlab: MockGitlab,
    runner: Runner,
    handle: RunnerHandle,
    go_on: Arc<Notify>,
    cleanups: mpsc::UnboundedReceiver<Cleanup>,
    sender: mpsc::UnboundedSender<Cleanup>,
    _builds: TempDir,
    _subscriber: tracing::subscriber::DefaultGuard,
}

impl Pair {
    async fn new() -> Pair {
        let gitlab = MockGitlab::builder()
            .settings(Settings {
                // The crate sends its log in this interval.
                trace_interval_s: 1,
                trace_interval_watched_s: 1,
                ..Settings::default()
            })
            .start()
            .expect("a server");
        let handle = gitlab.runner().create().expect("a runner");
        let (layer, jobs) = GitlabLayer::new();
        let subscriber = tracing_subscriber::registry().with(layer).set_default();
        let builds = tempfile::tempdir().expect("a folder");
        let url = gitlab.url().parse().expect("a URL");
        let runner = RunnerBuilder::new(url, handle.token(), builds.path(), jobs)
            .system_id("s_interop00001")
            .version("1.2.3")
            .platform("linux")
            .build()
            .await;
        let (sender, cleanups) = mpsc::unbounded_channel();
        Pair {
            gitlab,
            runner,
            handle,
            go_on: Arc::default(),
            cleanups,
            sender,
            _builds: builds,
            _subscriber: subscriber,
        }
    }

    /// Polls once; whether there was a job.
    async fn poll(&mut self) -> bool {
        let (go_on, sender) = (Arc::clone(&self.go_on), self.sender.clone());
        let play = move |job| async move { Ok(Play::new(job, go_on, sender)) };
        self.runner.request_job(play).await.expect("a poll")
    }

    async fn cleanup(&mut self) -> Cleanup {
        self.cleanups.recv().await.expect("the sender is our own")
    }
}

/// It takes a job and streams its log while the job runs; variables keep their value and their mask.
#[tokio::test]
async fn takes_a_job_and_streams_its_log() {
    let mut pair = Pair::new().await;
    let project = pair.gitlab.project("group/demo").create().unwrap();
    assert!(!pair.poll().await, "there is no job yet");
    let job = project
        .job("test")
        .variable("PLAIN", "seen")
        .masked("HIDDEN", "not-to-be-seen")
        .script([
            "print hello",
            "hold",
            "show PLAIN",
            "show HIDDEN",
            "show CI_JOB_ID",
        ])
        .after_script(["print bye"])
        .create()
        .unwrap();
    assert!(pair.poll().await);
    job.wait_for_trace("hello\n").await.unwrap();
    assert_eq!(job.status(), JobStatus::Running);
    pair.go_on.notify_one();
    job.wait_for(JobStatus::Success).await.unwrap();
    assert_eq!(
        job.trace_text(),
        format!(
            "hello\nPLAIN=seen\nHIDDEN=<MASKED>\nCI_JOB_ID={}\nbye\n",
            job.id()
        )
    );
    assert_eq!(
        pair.cleanup().await,
        Cleanup {
            job: job.id().try_into().unwrap(),
            finished: true
        }
    );
    // It came in pieces, and the last one ended the job.
    let patches = job.patches();
    assert!(patches.len() >= 2 && patches.concat() == job.trace());
    assert_eq!((&*patches[0], job.updates()), (b"hello\n".as_slice(), 1));
    // What the crate says of itself is stored.
    let machines = pair.handle.machines();
    assert_eq!(
        (&*machines[0].version, &*machines[0].platform),
        ("1.2.3", "linux")
    );
}

/// A failing script fails the job, and its reason is the server's default.
#[tokio::test]
async fn fails_a_job() {
    let mut pair = Pair::new().await;
    let project = pair.gitlab.project("demo").create().unwrap();
    let job = project.job("test").script(["fail"]).create().unwrap();
    assert!(pair.poll().await);
    job.wait_for(JobStatus::Failed).await.unwrap();
    assert_eq!(job.trace_text(), "cannot do `fail`\n");
    assert_eq!(job.failure_reason().as_deref(), Some("unknown_failure"));
    assert!(!pair.cleanup().await.finished);
}

/// It uploads artifacts, and the job behind downloads them: small ones into memory, large ones to disk.
#[tokio::test]
async fn uploads_and_downloads_artifacts() {
    let mut pair = Pair::new().await;
    let project = pair.gitlab.project("demo").create().unwrap();
    let large = "x".repeat(200 * 1024);
    let pipeline = project
        .pipeline()
        .job("small", |job| {
            job.stage("build")
                .script(["file out/a.txt first", "file b.txt left-out"])
                .artifacts(["out"])
        })
        .job("large", |job| {
            job.stage("build")
                .script([format!("file big.txt {large}")])
                .artifacts(["*.txt"])
        })
        .job("none", |job| job.stage("build").script(["print nothing"]))
        .job("use", |job| job.stage("test").script(["read"]))
        .create()
        .unwrap();
    for name in ["small", "large", "none"] {
        assert!(pair.poll().await, "{name}");
        let job = pipeline.job(name).unwrap();
        job.wait_for(JobStatus::Success).await.unwrap();
    }
    let small = pipeline.job("small").unwrap();
    let artifact = small.artifact("archive").unwrap();
    assert_eq!(
        (&*artifact.filename, &*artifact.file_format),
        ("default.zip", "zip")
    );
    let bytes = small.artifact_bytes("archive").unwrap().unwrap();
    assert!(bytes.starts_with(b"PK") && bytes.len() as u64 == artifact.size);
    assert!(pair.poll().await);
    let user = pipeline.job("use").unwrap();
    user.wait_for(JobStatus::Success).await.unwrap();
    assert_eq!(
        user.trace_text(),
        format!("small: out/a.txt: first\nlarge: big.txt: {large}\nnone left nothing\n")
    );
}

/// It is cancelled: the crate hears of it with its next piece of log, stops the script and cleans up.
#[tokio::test]
async fn is_cancelled() {
    let mut pair = Pair::new().await;
    let project = pair.gitlab.project("demo").create().unwrap();
    let job = project.job("test").script(["chatter"]).create().unwrap();
    assert!(pair.poll().await);
    job.wait_for_trace("still here\n").await.unwrap();
    // The crate does not announce `cancelable`, so the job is over at once.
    assert_eq!(job.cancel().unwrap(), JobStatus::Canceled);
    assert_eq!(
        pair.cleanup().await,
        Cleanup {
            job: job.id().try_into().unwrap(),
            finished: false
        }
    );
    pair.runner.drain().await;
    assert_eq!(job.status(), JobStatus::Canceled);
    assert!(
        pair.gitlab
            .requests()
            .iter()
            .any(|request| request.method == "PATCH" && request.status == 403),
        "the crate was told by a trace patch"
    );
}

/// It drains: jobs that run end, and the runner says when the last one has.
#[tokio::test]
async fn drains() {
    let mut pair = Pair::new().await;
    let project = pair.gitlab.project("demo").create().unwrap();
    let jobs = ["one", "two"].map(|name| {
        let script = [format!("print {name}"), "hold".to_owned()];
        project.job(name).script(script).create().unwrap()
    });
    for job in &jobs {
        assert!(pair.poll().await);
        job.wait_for(JobStatus::Running).await.unwrap();
    }
    assert!(!pair.poll().await);
    assert_eq!(pair.runner.running(), 2);
    for job in &jobs {
        job.wait_for_trace("\n").await.unwrap();
    }
    pair.go_on.notify_one();
    pair.runner.wait_for_space(2).await;
    assert_eq!(pair.runner.running(), 1);
    pair.go_on.notify_one();
    pair.runner.drain().await;
    assert_eq!(pair.runner.running(), 0);
    for job in &jobs {
        assert_eq!(job.status(), JobStatus::Success);
    }
}

/// A runner that was deleted is told so.
#[tokio::test]
async fn is_told_that_it_is_gone() {
    let mut pair = Pair::new().await;
    pair.gitlab.act(|world, now| {
        let id = world.runners().next().unwrap().id;
        world.delete_runner(now, id).unwrap();
    });
    let (go_on, sender) = (Arc::clone(&pair.go_on), pair.sender.clone());
    let play = move |job| async move { Ok(Play::new(job, go_on, sender)) };
    let error = pair.runner.request_job(play).await.unwrap_err();
    assert!(error.to_string().contains("403"), "{error}");
}
