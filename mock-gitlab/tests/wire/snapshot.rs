//! The whole state of a server: taken, put in, brought back to the beginning.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mock_gitlab::MockGitlab;
use mock_gitlab::library::ProjectHandle;
use protocol::JobStatus;
use serde_json::{Value, json};

use super::mock_api::Caller;

/// A server with a bit of everything: a repository with an LFS object, a running job with a log, an
/// artifact, a fault, a clock that is ahead, and what has happened.
struct Stage {
    caller: Caller,
    project: ProjectHandle,
    job: mock_gitlab::library::JobHandle,
    token: String,
}

impl Stage {
    async fn new() -> Stage {
        let caller = Caller::new();
        let runner = caller.gitlab.runner().create().unwrap();
        caller.gitlab.keep_as_beginning();
        let project = caller
            .gitlab
            .project("group/demo")
            .file("README.md", "one\n")
            .commit("One")
            .lfs_file("large.bin", b"LARGE")
            .create()
            .unwrap();
        caller.gitlab.project("empty").create().unwrap();
        let job = project.job("a").create().unwrap();
        project.job("b").create().unwrap();
        assert!(caller.gitlab.advance(Duration::from_hours(2)));
        assert_eq!(caller.poll(&runner.token()).await, 201);
        let token = job.token().unwrap();
        let stage = Stage {
            caller,
            project,
            job,
            token,
        };
        let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\nZIP\r\n--b--\r\n";
        let upload = stage.request("POST", "/artifacts");
        let upload = upload.header("content-type", "multipart/form-data; boundary=b");
        assert_eq!(upload.body(form).send().await.unwrap().status(), 201);
        let patch = stage.request("PATCH", "/trace");
        let patch = patch.header("content-range", "0-4").body("hello");
        assert_eq!(patch.send().await.unwrap().status(), 202);
        let rule = json!({ "status": 503, "probability": 0.5, "on": "discovery" });
        assert_eq!(stage.call("POST", "/faults", rule).await.0, 201);
        stage
    }

    /// A call of the runner about its job.
    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!(
            "{}/api/v4/jobs/{}{path}",
            self.caller.gitlab.url(),
            self.job.id()
        );
        let request = self.caller.client.request(method.parse().unwrap(), url);
        request.header("job-token", &self.token)
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.caller.call(method, path, body).await
    }

    /// The state of now, but for the time.
    async fn state(&self) -> Value {
        state(&self.caller).await
    }
}

async fn state(caller: &Caller) -> Value {
    let (status, mut state) = caller.call("GET", "/snapshot", Value::Null).await;
    assert_eq!(status, 200, "{state}");
    assert!(state["taken_at"].take().is_string());
    state
}

/// What stands beside each other below a server's own folder, without what is deeper.
fn beside(gitlab: &MockGitlab) -> Vec<String> {
    let folder = gitlab.git_root().0.parent().unwrap();
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Goal: export, reset, import, export gives the same, byte for byte but for the time; and what was there is
/// there again: log, artifact, repository, LFS object, fault, clock, events.
#[tokio::test]
async fn a_snapshot_is_the_whole_state() {
    let stage = Stage::new().await;
    let gitlab = &stage.caller.gitlab;
    let repository = gitlab.git_root().repository("group/demo");
    let before = stage.state().await;
    assert_eq!(before["repositories"][0]["project"], "group/demo");
    assert_eq!(before["repositories"].as_array().unwrap().len(), 1);
    let (_, taken) = stage.call("GET", "/snapshot", Value::Null).await;
    let (_, events) = stage.call("GET", "/events", Value::Null).await;

    assert_eq!(stage.call("POST", "/reset", Value::Null).await.0, 204);
    assert_eq!(gitlab.act(|world, _| world.jobs().count()), 0);
    assert!(!repository.exists());
    assert_eq!(
        stage.call("GET", "/clock", Value::Null).await.1["ahead_ms"],
        0
    );
    assert_eq!(stage.call("GET", "/faults", Value::Null).await.1, json!([]));
    // What was there is away, and no id is taken.
    let other = gitlab
        .project("group/demo")
        .file("OTHER.md", "x\n")
        .create()
        .unwrap();
    assert_eq!(other.id(), stage.project.id());

    assert_eq!(stage.call("PUT", "/snapshot", taken).await.0, 204);
    assert_eq!(stage.state().await, before);
    assert_eq!(stage.call("GET", "/events", Value::Null).await.1, events);
    assert_eq!(stage.job.status(), JobStatus::Running);
    assert_eq!(stage.job.trace_text(), "hello");
    let file = stage.request("GET", "/artifacts").send().await.unwrap();
    assert_eq!(file.text().await.unwrap(), "ZIP");
    let home = tempfile::tempdir().unwrap();
    let address = gitlab.url().trim_start_matches("http://");
    let url = format!(
        "http://gitlab-ci-token:{}@{address}/group/demo.git",
        stage.token
    );
    git(home.path(), &["clone", "--quiet", &url, "demo"]);
    let demo = home.path().join("demo");
    assert_eq!(git(&demo, &["rev-parse", "HEAD"]), stage.project.sha());
    assert_eq!(std::fs::read(demo.join("README.md")).unwrap(), b"one\n");
    assert_eq!(git(&repository, &["fsck", "--strict"]), "");
    // The job goes on where it was.
    let patch = stage
        .request("PATCH", "/trace")
        .header("content-range", "5-5");
    assert_eq!(patch.body("!").send().await.unwrap().status(), 202);
    assert_eq!(beside(gitlab), ["artifacts", "git"]);
}

/// Goal: a snapshot says nothing of how git has packed a repository, only what is in it.
#[tokio::test]
async fn packing_does_not_show() {
    let stage = Stage::new().await;
    let before = stage.state().await;
    let repository = stage.caller.gitlab.git_root().repository("group/demo");
    git(&repository, &["gc", "--quiet", "--aggressive"]);
    assert_eq!(stage.state().await, before);
}

/// Goal: another server becomes the same, with its own address and administrator; a stream of events that
/// is open there is told, and begins anew.
#[tokio::test]
async fn another_server_takes_it() {
    let stage = Stage::new().await;
    let (_, taken) = stage.call("GET", "/snapshot", Value::Null).await;
    let other = Caller::of(MockGitlab::builder().seed(1).start().unwrap());
    other
        .gitlab
        .project("gone")
        .file("a", "b")
        .create()
        .unwrap();
    let address = other.gitlab.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    let admin = other.gitlab.admin_token();
    let head = format!(
        "GET /api/mock/v1/events/stream?after=0 HTTP/1.1\r\nHost: x\r\nPrivate-Token: {admin}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.is_empty()), "the head of the answer");

    assert_eq!(other.call("PUT", "/snapshot", taken).await.0, 204);
    assert!(lines.any(|line| line == "event: rewound"));
    let next = lines.find(|line| line.starts_with("id: ")).unwrap();
    assert_eq!(next, "id: 1");
    let mut there = state(&other).await;
    let mut here = stage.state().await;
    let url = |state: &mut Value| state["world"]["settings"]["external_url"].take();
    assert_ne!(url(&mut there), url(&mut here));
    let tokens = |state: &mut Value| state["world"]["personal_access_tokens"].take();
    let (theirs, ours) = (tokens(&mut there), tokens(&mut here));
    assert_eq!(theirs[other.gitlab.admin_token()], 1);
    assert_eq!(
        theirs.as_object().unwrap().len(),
        ours.as_object().unwrap().len() + 1
    );
    assert_eq!(there, here);
    assert!(!other.gitlab.git_root().repository("root/gone").exists());
}

/// Goal: a snapshot that is refused names what is wrong and changes nothing, whichever part it is in.
#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let stage = Stage::new().await;
    let (_, taken) = stage.call("GET", "/snapshot", Value::Null).await;
    // A state of its own, so that a half-done import would show.
    stage.project.job("later").create().unwrap();
    let before = stage.state().await;
    let mut table = vec![
        ("/world/version", json!(1), "version 1 is not known"),
        (
            "/world/projects/0/full_path",
            json!("../x"),
            "full_path `../x` cannot be",
        ),
        (
            "/world/artifacts/0/artifact/sha256",
            json!("../../../x"),
            "sha256 cannot be",
        ),
        (
            "/world/users/0/blocked",
            json!(true),
            "has to be an administrator",
        ),
        ("/world/next/job", json!(1), "jobs: 1 is not from 1"),
        ("/ahead_ms", json!(-1), "ahead_ms: "),
        ("/faults/rules/0/rule/status", json!(42), "faults: status: "),
        ("/faults/random/word", json!(""), "faults: random: "),
        (
            "/files/0/file_type",
            json!("../x"),
            "the world does not know it",
        ),
        ("/files/0/content", json!("?"), "files: job 1: archive: "),
        ("/files/0/content", json!("WklR"), "the bytes are not those"),
        (
            "/repositories/0/project",
            json!("group/nowhere"),
            "does not know the project",
        ),
        (
            "/repositories/0/project",
            json!("../x"),
            "does not know the project",
        ),
        (
            "/repositories/0/object_format",
            json!("--x"),
            "object_format `--x`",
        ),
        ("/repositories/0/head", json!("--x"), "head `--x` cannot be"),
        (
            "/repositories/0/refs/refs~1heads~1main",
            json!("00"),
            "refs: `refs/heads/main`",
        ),
        (
            "/repositories/0/refs/refs~1heads~1main",
            json!("1".repeat(40)),
            "git ",
        ),
        (
            "/repositories/0/refs",
            json!({ "refs/heads/a\ndelete refs/heads/main": "1".repeat(40) }),
            "refs: ",
        ),
        (
            "/repositories/0/refs",
            json!({ "refs/heads/..": "1".repeat(40) }),
            "git ",
        ),
        ("/repositories/0/pack", json!("?"), "pack: "),
        ("/repositories/0/pack", json!("UEFDSw=="), "git "),
        (
            "/repositories/0/lfs_objects",
            json!({ "../x": "" }),
            "`../x` is no id",
        ),
        (
            "/repositories/0/lfs_objects",
            json!({ "0".repeat(64): "WA==" }),
            "has other bytes",
        ),
        ("/unknown", json!(1), "unknown field `unknown`"),
    ];
    let twice = json!([taken["repositories"][0], taken["repositories"][0]]);
    table.push(("/repositories", twice, "is there twice"));
    for (place, value, expected) in table {
        let mut broken = taken.clone();
        match broken.pointer_mut(place) {
            Some(target) => *target = value,
            None => broken[&place[1..]] = value,
        }
        // Bytes that are not there yet have to be taken away again.
        let (status, answer) = stage.call("PUT", "/snapshot", broken).await;
        let message = answer["message"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{place}: {answer}");
        assert!(message.contains(expected), "{place}: {message}");
        assert!(!message.contains("incoming-"), "{place}: {message}");
        assert_eq!(stage.state().await, before, "{place}");
        assert_eq!(
            beside(&stage.caller.gitlab),
            ["artifacts", "git"],
            "{place}"
        );
    }
    let (status, _) = stage.call("PUT", "/snapshot", Value::Null).await;
    assert_eq!(status, 400);
    assert_eq!(stage.call("PUT", "/snapshot", taken).await.0, 204);
}

/// Goal: the world is not changed before the bytes of its artifacts are in place: where they cannot be
/// written, nothing happens.
#[tokio::test]
async fn no_world_without_its_bytes() {
    let stage = Stage::new().await;
    let (_, taken) = stage.call("GET", "/snapshot", Value::Null).await;
    assert_eq!(stage.call("POST", "/reset", Value::Null).await.0, 204);
    let gitlab = &stage.caller.gitlab;
    let folder = gitlab.git_root().0.parent().unwrap().join("artifacts");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    let before = stage.state().await;
    let (status, answer) = stage.call("PUT", "/snapshot", taken.clone()).await;
    assert_eq!(status, 500, "{answer}");
    assert_eq!(stage.state().await, before);
    assert_eq!(beside(gitlab), ["artifacts", "git"]);
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(stage.call("PUT", "/snapshot", taken).await.0, 204);
    assert_eq!(
        stage.job.artifact_bytes("archive").unwrap().unwrap(),
        b"ZIP"
    );
}

/// Goal: a reset leaves what the beginning had: its repository and the bytes of its artifacts.
#[tokio::test]
async fn a_reset_keeps_what_the_beginning_had() {
    let caller = Caller::new();
    let project = caller
        .gitlab
        .project("demo")
        .file("a", "b")
        .create()
        .unwrap();
    let file: (&str, &str, &[u8]) = ("archive", "a.zip", b"ZIP");
    let done = project.job("a").completed([file]).unwrap();
    caller.gitlab.keep_as_beginning();
    let first = state(&caller).await;
    let more: (&str, &str, &[u8]) = ("archive", "b.zip", b"PIZ");
    project.job("b").completed([more]).unwrap();
    assert_eq!(caller.call("POST", "/reset", Value::Null).await.0, 204);
    assert_eq!(done.artifact_bytes("archive").unwrap().unwrap(), b"ZIP");
    let mut again = state(&caller).await;
    // The numbers of events go on, and a repository stays as it is.
    let mut first = first;
    let refs = again["repositories"][0]["refs"].as_object_mut().unwrap();
    assert!(refs.remove("refs/pipelines/2").is_some());
    assert!(first["world"]["events"].take() != again["world"]["events"].take());
    assert_eq!(again, first);
    let artifacts = caller
        .gitlab
        .git_root()
        .0
        .parent()
        .unwrap()
        .join("artifacts");
    assert!(
        !artifacts
            .join("2/archive")
            .read_dir()
            .unwrap()
            .any(|_| true)
    );
}
