//! What a server must not do for strangers.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use axum::body::Body;
use http::Request;
use mock_gitlab::MockGitlab;
use mock_gitlab::library::MockError;
use tower::ServiceExt as _;

use super::support::{PAT, REGISTRATION, RUNNER, Server};

/// Longest time that anything may take; it is never waited for when all is well.
const LIMIT: Duration = Duration::from_mins(1);

/// An address that others can reach is refused without an administrator's token, by the program and by
/// the library, before anything listens.
#[test]
fn only_loopback_without_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let output = Command::new(env!("CARGO_BIN_EXE_mock-gitlab"))
            .args(["serve", "--listen", address])
            .env_remove("MOCK_GITLAB_ADMIN_TOKEN")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{address}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("--admin-token"), "{text}");
        assert_eq!(output.stdout, b"", "{address}");
    }
    let everybody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let error = MockGitlab::builder()
        .address(everybody)
        .start()
        .unwrap_err();
    assert!(matches!(error, MockError::Exposed { .. }), "{error}");
    assert!(error.to_string().contains("admin_token"), "{error}");
    // An empty token is none.
    let builder = MockGitlab::builder().address(everybody).admin_token("");
    assert!(matches!(builder.start(), Err(MockError::Exposed { .. })));
}

/// Every call that has a body bounds it: 413, and no more than the bound is read.
#[tokio::test]
async fn bodies_are_bounded() {
    let server = Server::new();
    let job = server
        .running(mock_gitlab::world::JobDefinition::default())
        .await;
    let mebibyte = 1024 * 1024;
    for (method, path, limit) in [
        ("POST", "/jobs/request".to_owned(), 32 * 1024),
        ("POST", "/runners".to_owned(), mebibyte),
        ("POST", "/runners/verify".to_owned(), mebibyte),
        ("DELETE", "/runners".to_owned(), mebibyte),
        ("DELETE", "/runners/managers".to_owned(), mebibyte),
        (
            "POST",
            "/runners/reset_authentication_token".to_owned(),
            mebibyte,
        ),
        ("POST", "/user/runners".to_owned(), mebibyte),
        ("POST", "/projects".to_owned(), mebibyte),
        ("POST", "/projects/1/pipeline".to_owned(), mebibyte),
        ("PUT", format!("/jobs/{}", job.id), mebibyte),
        ("PATCH", format!("/jobs/{}/trace", job.id), 16 * mebibyte),
    ] {
        let chunk = vec![b' '; 64 * 1024];
        let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&sent);
        // Without an end.
        let chunks = futures_util::stream::repeat_with(move || {
            count.fetch_add(chunk.len(), std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::io::Error>(bytes::Bytes::from(chunk.clone()))
        });
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v4{path}"))
            .header("content-type", "application/json")
            .header("private-token", PAT)
            .header("job-token", &job.token)
            .header("content-range", "0-1")
            .body(Body::from_stream(chunks))
            .unwrap();
        let answer = server.router().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 413, "{method} {path}");
        let sent = sent.load(std::sync::atomic::Ordering::Relaxed);
        assert!(sent <= limit + 128 * 1024, "{method} {path}: {sent}");
    }
}

/// A client that does not finish the head of its request is let go, and one that pauses within the body
/// is answered 408; others are served meanwhile.
#[test]
fn slow_clients() {
    let pause = Duration::from_millis(150);
    let gitlab = MockGitlab::builder()
        .timeouts(pause, pause)
        .start()
        .unwrap();
    let address = gitlab.url().trim_start_matches("http://").to_owned();
    let connect = || {
        let stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    };
    let read = |stream: &mut TcpStream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    };
    let start = Instant::now();
    let mut head = connect();
    head.write_all(b"POST /api/v4/jobs/request HTTP/1.1\r\nHost: x\r\n")
        .unwrap();
    let mut silent = connect();
    let mut body = connect();
    body.write_all(
        b"POST /api/v4/jobs/request HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{",
    )
    .unwrap();
    let mut upload = connect();
    let job = gitlab
        .project("demo")
        .create()
        .unwrap()
        .job("a")
        .create()
        .unwrap();
    let token = gitlab.runner().create().unwrap().token();
    let token = gitlab.act(|world, now| {
        let request = protocol::JobRequest {
            token,
            ..protocol::JobRequest::default()
        };
        assert_eq!(world.request_job(now, &request, "127.0.0.1").status(), 201);
        world.job(job.id()).unwrap().token().unwrap().to_owned()
    });
    let request = format!(
        "POST /api/v4/jobs/{}/artifacts HTTP/1.1\r\nHost: x\r\nConnection: close\r\nJob-Token: {token}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b\r\n",
        job.id()
    );
    upload.write_all(request.as_bytes()).unwrap();
    for stream in [&mut body, &mut upload] {
        let text = read(stream).unwrap();
        assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    }
    for stream in [&mut head, &mut silent] {
        // Without a time-out of the server this would end by the client's own, as an error.
        match read(stream) {
            Ok(text) => assert!(!text.starts_with("HTTP/1.1 2"), "{text}"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    assert!(start.elapsed() >= pause);
    assert_eq!(gitlab.requests().len(), 2);
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// No path, however it is written, gives a file beside the folders of artifacts and repositories, and no
/// name of an upload makes one there.
#[test]
fn no_path_leaves_its_folder() {
    let gitlab = MockGitlab::start().unwrap();
    let project = gitlab
        .project("group/demo")
        .file("README.md", "hi\n")
        .create()
        .unwrap();
    let runner = gitlab.runner().create().unwrap().token();
    let job = project.job("a").create().unwrap();
    let token = gitlab.act(|world, now| {
        let request = protocol::JobRequest {
            token: runner,
            ..protocol::JobRequest::default()
        };
        assert_eq!(world.request_job(now, &request, "127.0.0.1").status(), 201);
        world.job(job.id()).unwrap().token().unwrap().to_owned()
    });
    let outside = gitlab.git_root().0.parent().unwrap().to_owned();
    std::fs::write(outside.join("secret"), "TOP SECRET").unwrap();
    let copy = Command::new("cp")
        .arg("-r")
        .arg(gitlab.git_root().repository("group/demo"))
        .arg(outside.join("outside.git"))
        .status()
        .unwrap();
    assert!(copy.success());
    std::fs::write(outside.join("outside.git/HEAD"), "TOP SECRET").unwrap();
    let address = gitlab.url().trim_start_matches("http://").to_owned();
    let send = |method: &str, path: &str, headers: &str, body: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let authorization = base64_of(&format!("gitlab-ci-token:{token}"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nJob-Token: {token}\r\nAuthorization: Basic {authorization}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    // The way that is allowed, so that the others are refused for their paths alone.
    let good = send(
        "GET",
        "/group/demo.git/info/refs?service=git-upload-pack",
        "",
        "",
    );
    assert!(good.starts_with("HTTP/1.1 200 "), "{good}");
    for up in [
        "..",
        "%2e%2e",
        "%2E%2E",
        ".%2e",
        "..%2f",
        "..%5c",
        "%252e%252e",
    ] {
        for path in [
            format!("/{up}/secret"),
            format!("/{up}/outside.git/HEAD"),
            format!("/{up}/outside.git/info/refs?service=git-upload-pack"),
            format!("/group/{up}/{up}/outside.git/HEAD"),
            format!("/group/demo.git/{up}/{up}/{up}/secret"),
            format!("/group/demo.git/objects/{up}/{up}/{up}/{up}/secret"),
            format!("/object-storage/artifacts/{up}/{up}/secret"),
            format!("/object-storage/artifacts/1/{up}/{up}%2fsecret"),
            format!("/api/v4/jobs/{up}/artifacts"),
            format!("/api/v4/projects/1/jobs/artifacts/{up}%2f{up}%2fsecret/download?job=a"),
            format!("/api/mock/v1/{up}/{up}/secret"),
        ] {
            let answer = send("GET", &path, "", "");
            assert!(!answer.contains("SECRET"), "{path}: {answer}");
            assert!(!answer.starts_with("HTTP/1.1 2"), "{path}: {answer}");
        }
    }
    for name in [
        "../../secret",
        "/etc/passwd",
        "..\\..\\secret",
        "a/../../secret",
    ] {
        let form = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\nEVIL\r\n--b--\r\n"
        );
        for kind in ["archive", "../../secret", "trace"] {
            let format = if kind == "archive" { "zip" } else { "raw" };
            let path = format!(
                "/api/v4/jobs/{}/artifacts?artifact_type={kind}&artifact_format={format}",
                job.id()
            );
            let multipart = "Content-Type: multipart/form-data; boundary=b\r\n";
            send("POST", &path, multipart, &form);
        }
    }
    let mut files = Vec::new();
    files_below(&outside, &mut files);
    let (inside, beside): (Vec<_>, Vec<_>) = files
        .into_iter()
        .partition(|file| file.starts_with(outside.join("artifacts")));
    assert!(
        !inside.is_empty(),
        "uploads are taken, under names of the server's own"
    );
    for file in beside
        .into_iter()
        .filter(|file| !file.starts_with(outside.join("outside.git")))
    {
        let text = std::fs::read(&file).unwrap();
        assert!(!text.starts_with(b"EVIL"), "{}", file.display());
    }
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Answers and logs of refusals never repeat the token.
#[tokio::test]
async fn tokens_are_not_repeated() {
    let server = Server::new();
    let token = "glrt-t1_wRoNgWrOnGwRoNgWrOnG";
    let body = serde_json::json!({ "token": token, "state": "running" });
    for (method, path) in [
        ("POST", "/jobs/request"),
        ("POST", "/runners"),
        ("POST", "/runners/verify"),
        ("DELETE", "/runners"),
        ("POST", "/runners/reset_authentication_token"),
        ("PUT", "/jobs/1"),
        ("POST", "/nowhere"),
    ] {
        let answer = server.call(method, path).json(body.clone()).await;
        assert!(answer.status >= 400, "{method} {path}");
        let text = format!(
            "{:?} {}",
            answer.headers,
            String::from_utf8_lossy(&answer.body)
        );
        for secret in [token, RUNNER, PAT, REGISTRATION] {
            assert!(!text.contains(secret), "{method} {path}: {text}");
        }
    }
}
