//! What a server must not do for strangers.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use axum::body::Body;
use http::Request;
use mock_gitlab::MockGitlab;
use mock_gitlab::library::MockError;
use serde_json::{Value, json};
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

/// Answers to refusals never repeat the token. What the process writes is below.
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

/// Reads to the end, so that no pipe fills up.
fn read_on(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// A server process, whose output is read as it comes.
struct Process {
    child: std::process::Child,
    url: String,
    /// What it said at its start, tokens included.
    welcome: String,
    stdout: std::thread::JoinHandle<String>,
    stderr: std::thread::JoinHandle<String>,
}

impl Process {
    fn start() -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mock-gitlab"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "trace"])
            .env_remove("MOCK_GITLAB_ADMIN_TOKEN")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take().unwrap();
        let mut welcome = String::new();
        while !welcome.contains("Stop with Ctrl-C.") {
            assert_ne!(stdout.read_line(&mut welcome).unwrap(), 0, "{welcome}");
        }
        let url = welcome
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let url = url.unwrap().to_owned();
        Process {
            child,
            url,
            welcome,
            stdout: read_on(stdout),
            stderr: read_on(stderr),
        }
    }

    /// Stops it by SIGTERM; what it wrote after its welcome, to stdout and to stderr.
    fn stop(mut self) -> (String, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        (self.stdout.join().unwrap(), self.stderr.join().unwrap())
    }
}

/// Goal: whatever is called, rightly or wrongly, no token stands in what the process writes after its start,
/// at the most verbose level; and the log is there.
#[tokio::test]
async fn no_token_in_the_process_log() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let process = Process::start();
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .build()
        .unwrap();
    let mut secrets: Vec<String> = process
        .welcome
        .split_whitespace()
        .filter(|word| {
            ["GR1348941", "glpat-", "glrt-"]
                .iter()
                .any(|start| word.starts_with(start))
        })
        .map(str::to_owned)
        .collect();
    let find = |start: &str| {
        let found = secrets.iter().find(|secret| secret.starts_with(start));
        found
            .unwrap_or_else(|| panic!("{start}: {}", process.welcome))
            .clone()
    };
    let (registration, pat, runner) = (find("GR1348941"), find("glpat-"), find("glrt-"));
    let send = async |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let url = format!("{}{path}", process.url);
        let mut request = client.request(method.parse().unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.body(body.to_owned()).send().await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        (status, value)
    };
    let json_type = ("content-type", "application/json");
    let admin = ("private-token", &*pat);
    // A runner's life: it is made in both ways, verified, gets a job, writes its log, uploads, ends.
    let post = async |path: &str, body: Value| {
        send(
            "POST",
            &format!("/api/v4{path}"),
            &[json_type],
            &body.to_string(),
        )
        .await
    };
    let (status, made) = post(
        "/runners",
        json!({ "token": registration, "tag_list": "x" }),
    )
    .await;
    assert_eq!(status, 201);
    let legacy = made["token"].as_str().unwrap().to_owned();
    let form = [("content-type", "application/x-www-form-urlencoded"), admin];
    let (status, made) = send(
        "POST",
        "/api/v4/user/runners",
        &form,
        "runner_type=instance_type",
    )
    .await;
    assert_eq!(status, 201);
    let user = made["token"].as_str().unwrap().to_owned();
    assert_eq!(
        post("/runners/verify", json!({ "token": user })).await.0,
        200
    );
    let (status, made) = post(
        "/runners/reset_authentication_token",
        json!({ "token": user }),
    )
    .await;
    assert_eq!(status, 201);
    let fresh = made["token"].as_str().unwrap().to_owned();
    let (status, payload) = post(
        "/jobs/request",
        json!({ "token": runner, "system_id": "s" }),
    )
    .await;
    assert_eq!(status, 201);
    let (id, job) = (
        &payload["id"],
        payload["token"].as_str().unwrap().to_owned(),
    );
    let job_token = ("job-token", &*job);
    let trace = format!("/api/v4/jobs/{id}/trace");
    let range = ("content-range", "0-1");
    assert_eq!(
        send("PATCH", &trace, &[job_token, range], "hi").await.0,
        202
    );
    let far = ("content-range", "9-10");
    assert_eq!(send("PATCH", &trace, &[job_token, far], "hi").await.0, 416);
    let upload = format!("/api/v4/jobs/{id}/artifacts");
    let multipart = ("content-type", "multipart/form-data; boundary=b");
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\nZIP\r\n--b--\r\n";
    assert_eq!(
        send("POST", &upload, &[job_token, multipart], file).await.0,
        201
    );
    assert_eq!(
        send("POST", &upload, &[job_token, multipart], "--b")
            .await
            .0,
        400
    );
    let authorization = format!("Basic {}", base64_of(&format!("gitlab-ci-token:{job}")));
    let git = "/group/demo.git/info/refs?service=git-upload-pack";
    assert_eq!(
        send("GET", git, &[("authorization", &authorization)], "")
            .await
            .0,
        200
    );
    let broken = [
        ("authorization", &*authorization),
        ("content-type", "application/x-git-upload-pack-request"),
    ];
    send(
        "POST",
        "/group/demo.git/git-upload-pack",
        &broken,
        "garbage",
    )
    .await;
    // Levers, also such that fail.
    let levers = "/api/mock/v1";
    let rule = json!({ "runner": 1, "status": 500, "on": "poll", "times": 2 }).to_string();
    assert_eq!(
        send("POST", &format!("{levers}/faults"), &[admin], &rule)
            .await
            .0,
        201
    );
    assert_eq!(
        post("/jobs/request", json!({ "token": runner })).await.0,
        500
    );
    let (_, snapshot) = send("GET", &format!("{levers}/snapshot"), &[admin], "").await;
    let mut spoilt = snapshot.clone();
    spoilt["world"]["runners"][0]["record"]["token"] =
        spoilt["world"]["runners"][1]["record"]["token"].clone();
    let spoilt = spoilt.to_string();
    assert_eq!(
        send("PUT", &format!("{levers}/snapshot"), &[admin], &spoilt)
            .await
            .0,
        400
    );
    assert_eq!(
        send(
            "PUT",
            &format!("{levers}/snapshot"),
            &[admin],
            &spoilt[..spoilt.len() / 2]
        )
        .await
        .0,
        400
    );
    // Whatever a caller puts where, and wrong ones.
    let wrong = "glrt-t1_wRoNgWrOnGwRoNgWrOnG".to_owned();
    secrets.extend([legacy, user, fresh, job.clone(), wrong.clone()]);
    for secret in [&wrong, &runner, &job] {
        for (method, path) in [
            ("POST", "/jobs/request"),
            ("POST", "/runners"),
            ("POST", "/runners/verify"),
            ("DELETE", "/runners/managers"),
            ("PUT", "/jobs/99"),
            ("PATCH", "/jobs/99/trace"),
            ("POST", "/jobs/99/artifacts"),
            ("GET", "/runners/router/discovery"),
            ("POST", "/nowhere"),
            ("OPTIONS", "/jobs/request"),
        ] {
            let path = format!("/api/v4{path}?token={secret}&private_token={secret}");
            let headers = [
                json_type,
                ("runner-token", secret),
                ("job-token", secret),
                ("private-token", secret),
            ];
            for body in [
                json!({ "token": secret, "info": secret, "state": secret }),
                json!({ "token": [secret], "info": { "features": secret } }),
                json!(secret),
            ] {
                send(method, &path, &headers, &body.to_string()).await;
            }
            send(method, &path, &headers, &format!("{{\"token\": \"{secret}")).await;
        }
    }
    assert_eq!(
        send("POST", &format!("{levers}/reset"), &[admin], "")
            .await
            .0,
        204
    );
    let (out, log) = process.stop();
    assert_eq!(out, "stopped\n");
    assert!(
        log.contains("DEBUG answered method=\"POST\" path=\"/api/v4/jobs/request\" status=201"),
        "{log}"
    );
    assert!(
        log.contains("status=416") && log.contains("status=500"),
        "{log}"
    );
    for secret in &secrets {
        assert!(!log.contains(&**secret), "{secret}: {log}");
    }
    assert!(secrets.len() >= 8);
}
