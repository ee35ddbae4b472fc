//! Real `git clone` over a loopback port.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use jiff::Timestamp;
use protocol::JobRequest;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::repository::{Commit, create, set_ref};
use super::{GitRoot, lfs};
use crate::http::Limits;
use crate::world::{
    JobDefinition, NewPipeline, NewPipelineJob, NewProject, NewRunner, PollAnswer, Settings, World,
};

fn commits() -> Vec<Commit> {
    ["one", "two"]
        .map(|text| Commit {
            message: format!("commit {text}"),
            files: BTreeMap::from([
                ("README.md".to_owned(), format!("demo {text}\n")),
                ("bin/run".to_owned(), "#!/bin/sh\necho run\n".to_owned()),
            ]),
        })
        .to_vec()
}

/// The same files give the same ids, wherever and whenever they are made.
#[test]
fn ids_are_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = create(&folder.path().join("a.git"), "main", &commits()).unwrap();
    let second = create(&folder.path().join("b.git"), "main", &commits()).unwrap();
    assert_eq!(first, second);
    assert_eq!(first.len(), 2);
    let error = create(&folder.path().join("c.git"), "main", &[]).unwrap_err();
    assert!(error.to_string().contains("at least one commit"));
}

/// A world with one running job of `demo`, and its token.
fn world(sha: &str) -> (World, String) {
    let now = Timestamp::UNIX_EPOCH;
    let mut world = World::new(Settings::default(), 1);
    let project = world.add_project(now, NewProject::default()).unwrap();
    world
        .add_project(
            now,
            NewProject {
                path: "other".to_owned(),
                ..NewProject::default()
            },
        )
        .unwrap();
    world
        .add_runner(
            now,
            NewRunner {
                token: Some("glrt-x".to_owned()),
                ..NewRunner::default()
            },
        )
        .unwrap();
    world
        .add_pipeline(
            now,
            NewPipeline {
                project,
                sha: sha.to_owned(),
                jobs: vec![NewPipelineJob {
                    id: None,
                    definition: Arc::new(JobDefinition::default()),
                }],
                ..NewPipeline::default()
            },
        )
        .unwrap();
    let request = JobRequest {
        token: "glrt-x".to_owned(),
        ..JobRequest::default()
    };
    match world.request_job(now, &request, "127.0.0.1") {
        PollAnswer::Job(payload) => (world, payload.token.get()),
        other => panic!("no job: {other:?}"),
    }
}

/// A job's token opens its own project, and nothing else; the clone has the commits.
#[tokio::test]
async fn a_job_clones_its_project() {
    let folder = tempfile::tempdir().unwrap();
    let root = GitRoot(folder.path().join("git"));
    let full_path = "root/demo";
    let ids = create(&root.repository(full_path), "main", &commits()).unwrap();
    create(&root.repository("root/other"), "main", &commits()).unwrap();
    set_ref(&root.repository(full_path), "refs/pipelines/1", &ids[1]).unwrap();
    let (world, token) = world(&ids[1]);
    assert_eq!(
        world
            .projects()
            .next()
            .map(|project| project.full_path.clone()),
        Some(full_path.to_owned())
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let router = super::router(Arc::new(Mutex::new(world)), root, Limits::default());
    let server = tokio::spawn(crate::server::serve(listener, router, stop.clone()));
    let clone = |user: &str, path: &str, name: &str| {
        let url = format!("http://{user}{address}/{path}.git");
        let target = folder.path().join(name);
        let mut command = tokio::process::Command::from(Command::new("git"));
        command
            .args(["clone", "--quiet", "--depth", "1", &url])
            .arg(&target)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("HOME", folder.path());
        async move {
            let output = command.output().await.unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.success(), text, target)
        }
    };
    let good = format!("gitlab-ci-token:{token}@");
    let (success, text, target) = clone(&good, full_path, "good").await;
    assert!(success, "{text}");
    let readme = std::fs::read_to_string(target.join("README.md")).unwrap();
    assert_eq!(readme, "demo two\n");
    for (user, path, name) in [
        ("", full_path, "nobody"),
        ("gitlab-ci-token:wrong@", full_path, "wrong"),
        (&*good, "root/other", "other"),
        (&*good, "root/missing", "missing"),
    ] {
        let (success, text, _) = clone(user, path, name).await;
        assert!(!success, "{name}: {text}");
    }
    stop.cancel();
    server.await.unwrap();
}

/// What a fetch with much to tell sends: compressed bodies, bodies without a length, protocol version 2.
#[tokio::test]
async fn bodies_as_git_sends_them() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let root = GitRoot(folder.path().join("git"));
    let ids = create(&root.repository("root/demo"), "main", &commits()).unwrap();
    let (world, token) = world(&ids[1]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let router = super::router(Arc::new(Mutex::new(world)), root, Limits::default());
    let server = tokio::spawn(crate::server::serve(listener, router, stop.clone()));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .build()
        .unwrap();
    let post = |path: &str| {
        client
            .post(format!("http://{address}/root/demo.git/{path}"))
            .basic_auth("gitlab-ci-token", Some(&token))
            .header("git-protocol", "version=2")
            .header("content-type", "application/x-git-upload-pack-request")
    };
    let list_refs = b"0014command=ls-refs\n00010000".to_vec();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&list_refs).unwrap();
    let chunks = list_refs
        .chunks(7)
        .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()));
    let chunks: Vec<_> = chunks.collect();
    for request in [
        post("git-upload-pack").body(list_refs.clone()),
        post("git-upload-pack")
            .header("content-encoding", "gzip")
            .body(gzip.finish().unwrap()),
        post("git-upload-pack").body(reqwest::Body::wrap_stream(futures_util::stream::iter(
            chunks,
        ))),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(
            answer.headers()["content-type"],
            "application/x-git-upload-pack-result"
        );
        let text = answer.text().await.unwrap();
        assert!(
            text.contains(&format!("{} refs/heads/main", ids[1])),
            "{text}"
        );
    }
    let push = post("git-receive-pack").send().await.unwrap();
    assert_eq!(push.status(), 403);
    let nobody = client.get(format!(
        "http://{address}/root/demo.git/info/refs?service=git-upload-pack"
    ));
    let nobody = nobody.send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    assert_eq!(
        nobody.headers()["www-authenticate"],
        "Basic realm=\"GitLab\""
    );
    assert_eq!(nobody.text().await.unwrap(), "HTTP Basic: Access denied\n");
    stop.cancel();
    server.await.unwrap();
}

/// Goal: bodies are bounded, however they come, and nothing is started for one that announces too much; slow
/// clients are let go; what is within the bound passes.
#[tokio::test]
async fn bodies_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let root = GitRoot(folder.path().join("git"));
    let ids = create(&root.repository("root/demo"), "main", &commits()).unwrap();
    let (mut world, token) = world(&ids[1]);
    world.add_personal_access_token(1, Some("glpat-x")).unwrap();
    let limits = Limits {
        git_fetch_bytes: 4096,
        git_push_bytes: 8192,
        ..Limits::default()
    };
    let router = super::router(Arc::new(Mutex::new(world)), root.clone(), limits);
    let basic = |user: &str, password: &str| {
        let text = STANDARD.encode(format!("{user}:{password}"));
        format!("Basic {text}")
    };
    let (job, user) = (basic("gitlab-ci-token", &token), basic("x", "glpat-x"));
    let object = lfs::object_id(b"LARGE");
    let ask = |method: &str, path: &str, who: &str, body: Body| {
        let request = Request::builder()
            .method(method)
            .uri(format!("/root/demo.git/{path}"))
            .header("authorization", who)
            .header("git-protocol", "version=2")
            .header("content-type", format!("application/x-{path}-request"))
            .body(body)
            .unwrap();
        let router = router.clone();
        async move {
            let Ok(answer) = router.oneshot(request).await;
            answer.status().as_u16()
        }
    };
    // Without an end, in pieces; how much was asked for is counted.
    let endless = || {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let chunks = futures_util::stream::repeat_with(move || {
            count.fetch_add(1024, Ordering::Relaxed);
            Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b'0'; 1024]))
        });
        (sent, Body::from_stream(chunks))
    };
    let silent = || {
        let error = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        Body::from_stream(futures_util::stream::iter([
            Ok(bytes::Bytes::from("00")),
            Err(error()),
        ]))
    };
    let list_refs = "0014command=ls-refs\n00010000";
    let long = "x".repeat(9000);
    let batch = "info/lfs/objects/batch";
    let (place, good) = (format!("gitlab-lfs/objects/{object}/5"), "LARGE");
    let lies = format!("gitlab-lfs/objects/{object}/9000");
    for (method, path, who, body, expected) in [
        ("POST", "git-upload-pack", &job, list_refs, 200),
        ("POST", "git-upload-pack", &user, list_refs, 200),
        ("POST", "git-upload-pack", &job, &*long, 413),
        ("POST", "git-receive-pack", &job, "0000", 403),
        ("POST", "git-receive-pack", &user, "0000", 200),
        ("POST", "git-receive-pack", &user, &*long, 413),
        ("PUT", &*place, &job, good, 403),
        ("PUT", &*place, &user, "OTHER", 422),
        ("PUT", &*place, &user, "LARG", 422),
        ("PUT", &*place, &user, "LARGER", 422),
        ("PUT", &*lies, &user, good, 413),
        ("POST", &*place, &user, good, 404),
        ("GET", &place[..place.len() - 2], &job, "", 404),
        ("PUT", &*place, &user, good, 200),
        ("GET", &place[..place.len() - 2], &job, "", 200),
        (
            "POST",
            batch,
            &job,
            r#"{"operation":"upload","objects":[]}"#,
            403,
        ),
        (
            "POST",
            batch,
            &user,
            r#"{"operation":"upload","objects":[]}"#,
            200,
        ),
        ("POST", batch, &user, "{", 422),
        ("POST", "info/lfs/locks/verify", &user, "{}", 501),
        ("GET", "info/lfs/locks", &user, "", 501),
        ("GET", "info/lfs/locks", &basic("x", "glpat-y"), "", 401),
    ] {
        let body = Body::from(body.to_owned());
        let status = ask(method, path, who, body).await;
        assert_eq!(status, expected, "{method} {path} as {who}");
    }
    for (method, path, limit) in [
        ("POST", "git-upload-pack", 4096),
        ("POST", "git-receive-pack", 8192),
        ("PUT", &*place, 5),
    ] {
        let (sent, body) = endless();
        let status = ask(method, path, &user, body).await;
        let expected = if method == "PUT" { 422 } else { 413 };
        assert_eq!(status, expected, "{path}");
        let sent = sent.load(Ordering::Relaxed);
        assert!(sent <= limit + 2048, "{path}: {sent}");
    }
    for (method, path) in [
        ("POST", "git-upload-pack"),
        ("POST", "git-receive-pack"),
        ("POST", batch),
        ("PUT", &*place),
    ] {
        assert_eq!(ask(method, path, &user, silent()).await, 408, "{path}");
    }
    assert_eq!(lfs::stored(&root.repository("root/demo")), [object]);
    let incomplete = root.repository("root/demo").join("lfs/incomplete");
    assert_eq!(incomplete.read_dir().unwrap().count(), 0);
}
