//! The program itself at the server's door: what its commands send, and by which way.

use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::certs::{Authority, TlsServer, write};
use super::raw::RawServer;
use super::support::{REGISTRATION, RUNNER};

/// The program in a folder of its own, without the proxies and certificates of this machine.
fn program(folder: &Path) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_gitlab-runner"));
    command.env_clear().env("HOME", folder).current_dir(folder);
    command.stdin(std::process::Stdio::null());
    command
}

fn config(folder: &Path) -> String {
    folder.join("config.toml").to_str().unwrap().to_owned()
}

/// A folder whose `config.toml` has one entry.
fn entry(url: &str, more: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[[runners]]\nname = \"one\"\nurl = \"{url}\"\ntoken = \"{RUNNER}\"\nexecutor = \"shell\"\n{more}\n"
    );
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    folder
}

async fn verify(folder: &TempDir, environment: &[(&str, &str)]) -> Output {
    let mut command = program(folder.path());
    command.args(["verify", "--config", &config(folder.path())]);
    command.envs(environment.iter().copied());
    command.output().await.unwrap()
}

/// A server that answers everything so.
async fn answers(status: u16, body: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(&server)
        .await;
    server
}

async fn register(server: &MockServer, args: &[&str]) -> (TempDir, Output) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.args(["register", "--non-interactive", "--config"]);
    command.arg(config(folder.path()));
    command.args(["--url", &server.uri()]).args(args);
    let output = command.output().await.unwrap();
    (folder, output)
}

async fn bodies(server: &MockServer) -> Vec<Value> {
    let seen = server.received_requests().await.unwrap();
    seen.iter()
        .map(|seen| serde_json::from_slice(&seen.body).unwrap())
        .collect()
}

/// Features of a runner whose executor is not known: the seven that every runner has.
const SEVEN: [&str; 7] = [
    "trace_reset",
    "trace_checksum",
    "trace_size",
    "cancelable",
    "cancel_gracefully",
    "two_phase_job_commit",
    "job_inputs",
];

/// Checks the 31 features, and gives those that are on.
fn features(info: &Value) -> Vec<&str> {
    let all = info["features"].as_object().unwrap();
    assert_eq!(all.len(), 31);
    all.iter()
        .filter(|(_, on)| on.as_bool().unwrap())
        .map(|(name, _)| name.as_str())
        .collect()
}

fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names
}

/// A registration with a registration token: three Booleans always, the rest only when given.
///
/// Proves WIRE-REG-01.
#[tokio::test]
async fn the_body_of_a_registration() {
    let answer = json!({"id": 17, "token": "glrtr-x", "token_expires_at": null});
    let options: [(&[&str], Value); 2] = [
        (
            &["--description", "d"],
            json!({
                "description": "d", "run_untagged": true, "locked": true, "paused": false,
                "token": REGISTRATION,
            }),
        ),
        (
            &[
                "--description",
                "d",
                "--maintenance-note",
                "rack 4",
                "--tag-list",
                "linux,docker",
                "--run-untagged=true",
                "--locked=false",
                "--access-level",
                "ref_protected",
                "--maximum-timeout",
                "3600",
                "--paused",
            ],
            json!({
                "description": "d", "maintenance_note": "rack 4", "tag_list": "linux,docker",
                "run_untagged": true, "locked": false, "access_level": "ref_protected",
                "maximum_timeout": 3600, "paused": true, "token": REGISTRATION,
            }),
        ),
    ];
    for (options, mut expected) in options {
        let server = answers(201, answer.clone()).await;
        let token = ["--registration-token", REGISTRATION, "--executor", "shell"];
        let (_folder, output) = register(&server, &[&token[..], options].concat()).await;
        assert!(output.status.success(), "{output:?}");
        let mut seen = bodies(&server).await;
        assert_eq!(seen.len(), 1);
        let mut body = seen.remove(0);
        let info = body.as_object_mut().unwrap().remove("info").unwrap();
        assert_eq!(body, expected.take());
        assert_eq!(sorted(features(&info)), sorted(SEVEN));
        let members = sorted(info.as_object().unwrap().keys().map(String::as_str));
        assert_eq!(
            members,
            [
                "architecture",
                "config",
                "features",
                "name",
                "platform",
                "revision",
                "version"
            ]
        );
        assert_eq!(info["config"], json!({"gpus": ""}));
        assert_eq!(info["name"], "gitlab-runner");
    }
}

/// Verify tells all about the runner, its token and its machine; id and expiry are taken from the answer.
///
/// Proves WIRE-REG-06.
#[tokio::test]
async fn the_body_of_a_verification() {
    let expiry = "2027-01-31T10:00:00.000Z";
    let answer = json!({"id": 17, "token": "glrt-another", "token_expires_at": expiry});
    let server = answers(200, answer).await;
    let (folder, output) = register(&server, &["--token", RUNNER, "--executor", "shell"]).await;
    assert!(output.status.success(), "{output:?}");
    let system_id = std::fs::read_to_string(folder.path().join(".runner_system_id")).unwrap();
    let seen = bodies(&server).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(
        sorted(seen[0].as_object().unwrap().keys().map(String::as_str)),
        ["info", "system_id", "token"]
    );
    assert_eq!(seen[0]["token"], RUNNER);
    assert_eq!(seen[0]["system_id"], system_id.trim());
    let info = &seen[0]["info"];
    assert_eq!(
        (&info["executor"], &info["shell"]),
        (&json!("shell"), &json!("bash"))
    );
    assert!(features(info).contains(&"variables"));
    let saved = std::fs::read_to_string(folder.path().join("config.toml")).unwrap();
    for line in ["id = 17", "token_expires_at = 2027-01-31T10:00:00Z"] {
        assert!(saved.contains(line), "{saved}");
    }

    let folder = entry(&server.uri(), "shell = \"sh\"");
    assert!(verify(&folder, &[]).await.status.success());
    let seen = bodies(&server).await.pop().unwrap();
    assert_eq!(seen["info"]["executor"], "shell");
    assert_eq!(seen["info"]["shell"], "sh");
}

/// Before the executor is known, verify tells seven features and no executor. The token of the answer is
/// not taken. An answer without id is none for `register`, and is one for `verify`.
///
/// Proves WIRE-REG-18.
#[tokio::test]
async fn a_verification_that_knows_little() {
    let server = answers(200, json!({"id": 17, "token": "glrt-another"})).await;
    let (_folder, output) = register(&server, &["--token", RUNNER]).await;
    assert!(!output.status.success(), "no executor");
    let seen = bodies(&server).await;
    let info = &seen[0]["info"];
    assert_eq!(sorted(features(info)), sorted(SEVEN));
    assert!(info.get("executor").is_none() && info.get("shell").is_none());

    let (folder, output) = register(&server, &["--token", RUNNER, "--executor", "shell"]).await;
    assert!(output.status.success(), "{output:?}");
    let saved = std::fs::read_to_string(folder.path().join("config.toml")).unwrap();
    assert!(
        saved.contains(RUNNER) && !saved.contains("glrt-another"),
        "{saved}"
    );

    for (body, content_type) in [("{}", "application/json"), ("200", "text/plain")] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(200).set_body_raw(body, content_type);
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let (folder, output) = register(&server, &["--token", RUNNER, "--executor", "shell"]).await;
        assert!(!output.status.success(), "{content_type}: {output:?}");
        let saved = std::fs::read_to_string(folder.path().join("config.toml")).unwrap_or_default();
        assert!(!saved.contains(RUNNER), "{saved}");
        let folder = entry(&server.uri(), "");
        assert!(
            verify(&folder, &[]).await.status.success(),
            "{content_type}"
        );
    }
}

const ALIVE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
Content-Length: 8\r\n\r\n{\"id\":1}";

/// Certificates of the CA file count beside those of the system, and the name of the file may come from
/// the folder of the configuration. Nothing lets an unknown server in.
///
/// Proves WIRE-CON-10, WIRE-CON-11.
#[tokio::test]
async fn the_system_and_a_file() {
    let system = Authority::root("of the system");
    let ours = Authority::root("of the file");
    let others = Authority::root("of others");
    for (authority, named, in_folder, believed) in [
        (&system, false, false, true),
        (&system, true, false, true),
        (&system, false, true, true),
        (&ours, false, false, false),
        (&ours, true, false, true),
        (&ours, false, true, true),
        (&others, true, true, false),
    ] {
        let server = TlsServer::start(&authority.server(&["localhost"]), None, ALIVE).await;
        let files = tempfile::tempdir().unwrap();
        let file = |name: &str, authority: &Authority| {
            let path = files.path().join(name);
            write(&path, &authority.pem(), 0);
            path.to_str().unwrap().to_owned()
        };
        let pool = file("system.pem", &system);
        let more = if named {
            format!("tls-ca-file = \"{}\"", file("ours.pem", &ours))
        } else {
            String::new()
        };
        let folder = entry(&server.url(), &more);
        if in_folder {
            let certs = folder.path().join("certs");
            std::fs::create_dir(&certs).unwrap();
            write(&certs.join("localhost.crt"), &ours.pem(), 0);
        }
        let output = verify(&folder, &[("SSL_CERT_FILE", &pool)]).await;
        assert_eq!(
            !server.heads().is_empty(),
            believed,
            "named: {named}, in the folder: {in_folder}: {output:?}"
        );
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(log.contains("is valid"), believed, "{log}");
    }
}

/// Proxies come from the environment, for each scheme its own, and hosts can be excepted (wire.md 1.1).
#[tokio::test]
async fn proxies() {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let lines = Arc::clone(&heads);
    let proxy = RawServer::start(move |head| {
        let line = head.lines().next().unwrap_or_default().to_owned();
        let tunnel = line.starts_with("CONNECT");
        lines.lock().unwrap().push(line);
        if tunnel {
            return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n".to_vec();
        }
        ALIVE.to_vec()
    })
    .await;
    let url = proxy.url();
    let plain = "POST http://gitlab.test/api/v4/runners/verify HTTP/1.1";
    let tunnel = "CONNECT gitlab.test:443 HTTP/1.1";
    for (target, environment, expected) in [
        (
            "http://gitlab.test",
            vec![("HTTP_PROXY", url.as_str())],
            Some(plain),
        ),
        (
            "http://gitlab.test",
            vec![("http_proxy", &url)],
            Some(plain),
        ),
        ("http://gitlab.test", vec![("HTTPS_PROXY", &url)], None),
        (
            "https://gitlab.test",
            vec![("HTTPS_PROXY", &url)],
            Some(tunnel),
        ),
        ("https://gitlab.test", vec![("HTTP_PROXY", &url)], None),
        (
            "http://gitlab.test",
            vec![("HTTP_PROXY", &url), ("NO_PROXY", "other.test,gitlab.test")],
            None,
        ),
        (
            "http://gitlab.test",
            vec![("HTTP_PROXY", &url), ("NO_PROXY", "other.test")],
            Some(plain),
        ),
    ] {
        heads.lock().unwrap().clear();
        let folder = entry(target, "");
        let pool = folder.path().join("pool.pem");
        write(&pool, &Authority::root("any").pem(), 0);
        let mut environment = environment;
        environment.push(("SSL_CERT_FILE", pool.to_str().unwrap()));
        verify(&folder, &environment).await;
        let seen = heads.lock().unwrap().clone();
        assert_eq!(
            seen.first().map(String::as_str),
            expected,
            "{target} {environment:?}"
        );
    }
}

/// A proxy that is itself spoken to by TLS is checked as a server is, also for `http://`.
#[tokio::test]
async fn a_proxy_with_tls() {
    let ours = Authority::root("ours");
    let others = Authority::root("others");
    let proxy = TlsServer::start(&ours.server(&["localhost"]), None, ALIVE).await;
    for (authority, believed) in [(&others, false), (&ours, true)] {
        let folder = entry("http://gitlab.test", "");
        let pool = folder.path().join("pool.pem");
        write(&pool, &authority.pem(), 0);
        let url = proxy.url();
        let environment = [
            ("HTTP_PROXY", url.as_str()),
            ("SSL_CERT_FILE", pool.to_str().unwrap()),
        ];
        verify(&folder, &environment).await;
        let heads = proxy.heads();
        assert_eq!(!heads.is_empty(), believed);
        if believed {
            assert!(
                heads[0].starts_with("POST http://gitlab.test/api/v4/runners/verify HTTP/1.1\r\n")
            );
        }
    }
}
