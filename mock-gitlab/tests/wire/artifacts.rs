//! Artifacts (wire.md 6).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mock_gitlab::world::{JobDefinition, NewProject, Settings};
use serde_json::{Value, json};
use sha2::Sha256;

use super::support::{BOUNDARY, Job, RUNNER, Server, WORKHORSE_SECRET, form};

/// A token as workhorse signs it.
pub(crate) fn signed() -> String {
    token(
        json!({ "alg": "HS256", "typ": "JWT" }),
        json!({ "iss": "gitlab-workhorse" }),
        WORKHORSE_SECRET,
    )
}

fn token(head: Value, claims: Value, secret: &[u8]) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(head), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.update(message.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{message}.{signature}")
}

async fn download(server: &Server, job: i64, token: &str) -> super::support::Answer {
    server
        .get(&format!("/jobs/{job}/artifacts"))
        .header("JOB-TOKEN", token)
        .send()
        .await
}

async fn job(server: &Server) -> Job {
    server.running(JobDefinition::default()).await
}

/// Proves WIRE-ART-06.
#[tokio::test]
async fn the_same_type_twice() {
    let server = Server::new();
    let job = job(&server).await;
    let stored = server
        .upload(
            &job,
            "artifact_format=zip&artifact_type=archive&expire_in=7+days",
            b"one",
        )
        .await;
    stored.is(201, &json!("201"));
    server.upload(&job, "", b"one").await.is(201, &json!("201"));
    server.upload(&job, "", b"two").await.is(
        400,
        &json!({ "message": "another artifact of the same type already exists" }),
    );
    let junit = "artifact_format=gzip&artifact_type=junit";
    assert_eq!(server.upload(&job, junit, b"two").await.status, 201);
    let now = server.now();
    {
        let world = server.world();
        let kept: Vec<(&str, u64, i64)> = world
            .artifacts(job.id)
            .map(|artifact| {
                let life = artifact.expire_at.unwrap().duration_since(now);
                (&*artifact.file_type, artifact.size, life.as_secs() / 86_400)
            })
            .collect();
        assert_eq!(kept, [("archive", 3, 7), ("junit", 3, 30)]);
    }
    let file = download(&server, job.id, &job.token).await;
    assert_eq!((file.status, &*file.body), (200, &b"one"[..]));
}

/// Proves WIRE-ART-07.
#[tokio::test]
async fn uploads_that_are_refused() {
    let server = Server::new();
    let job = job(&server).await;
    for (query, body) in [
        (
            "artifact_type=junit&artifact_format=zip",
            json!({ "message": "Invalid file format with specified file type" }),
        ),
        (
            "artifact_type=archive&artifact_format=raw",
            json!({ "message": "Invalid file format with specified file type" }),
        ),
        (
            "artifact_type=nonsense",
            json!({ "error": "artifact_type does not have a valid value" }),
        ),
        (
            "artifact_format=rar",
            json!({ "error": "artifact_format does not have a valid value" }),
        ),
        (
            "artifact_type=dotenv&artifact_format=gzip",
            json!({ "message": "Invalid Format" }),
        ),
        (
            "file.path=/etc/passwd",
            json!({ "error": "file is invalid" }),
        ),
    ] {
        server.upload(&job, query, b"zip").await.is(400, &body);
    }
    let post = |content_type: &str, body: &[u8]| {
        server
            .post(&format!("/jobs/{}/artifacts", job.id))
            .header("JOB-TOKEN", &job.token)
            .bytes(content_type, body)
    };
    let multipart = format!("multipart/form-data; boundary={BOUNDARY}");
    let empty = format!("--{BOUNDARY}--\r\n");
    let missing = json!({ "error": "file is missing" });
    post("application/octet-stream", b"zip")
        .await
        .is(400, &missing);
    post(&multipart, empty.as_bytes()).await.is(400, &missing);
    post(&multipart, &form("file.path", None, b"/etc/passwd"))
        .await
        .is(400, &json!({ "error": "file is invalid" }));
    for cut in [form("other", Some("a.zip"), b"zip"), b"nonsense".to_vec()] {
        assert_eq!(post(&multipart, &cut).await.status, 400);
    }
    let whole = form("file", Some("a.zip"), b"zip");
    for length in 1..whole.len() - BOUNDARY.len() - 6 {
        let answer = post(&multipart, &whole[..length]).await;
        assert_eq!(answer.status, 400, "{length}");
    }
    server
        .world()
        .change_settings(|settings| settings.max_artifacts_size_mib = 1);
    let too_large = vec![0; 1024 * 1024 + 1];
    server.upload(&job, "", &too_large).await.is(
        413,
        &json!({ "message": "file size has reached maximum size limit" }),
    );
    assert_eq!(server.world().artifacts(job.id).count(), 0);
    let largest = server.upload(&job, "", &too_large[1..]).await;
    assert_eq!(largest.status, 201);
}

/// Every type with its only format (wire.md 6.1).
#[tokio::test]
async fn all_types() {
    let server = Server::new();
    let job = job(&server).await;
    for (file_type, format) in protocol::artifact::types().filter(|(name, _)| *name != "dotenv") {
        let query = format!("artifact_format={format}&artifact_type={file_type}");
        let answer = server.upload(&job, &query, b"x").await;
        assert_eq!(answer.status, 201, "{file_type}");
    }
}

/// Proves WIRE-ART-08.
#[tokio::test]
async fn uploads_of_jobs_that_ended() {
    let server = Server::new();
    let job = job(&server).await;
    server.update(&job, "success", json!({})).await;
    for _ in 0..2 {
        let answer = server.upload(&job, "", b"zip").await;
        answer.is(
            403,
            &json!({ "message": "403 Forbidden - Job is not processing on runner" }),
        );
        assert_eq!(answer.header("job-status"), "success");
        let now = server.now();
        server.world().erase_job(now, job.id).unwrap();
    }
    let wrong = Job {
        id: job.id,
        token: "glcbt-64_wrong".to_owned(),
    };
    server
        .upload(&wrong, "", b"zip")
        .await
        .is(403, &json!({ "message": "403 Forbidden" }));
    // A canceling job may still upload.
    let job = self::job(&server).await;
    let now = server.now();
    server.world().cancel_job(now, job.id, false).unwrap();
    assert_eq!(server.upload(&job, "", b"zip").await.status, 201);
}

/// Proves WIRE-ART-09, WIRE-PAY-14.
#[tokio::test]
async fn who_may_download() {
    let server = Server::new();
    let jobs = server.pipeline(vec![
        JobDefinition {
            name: "build".to_owned(),
            stage: "build".to_owned(),
            ..JobDefinition::default()
        },
        JobDefinition::default(),
    ]);
    let first = server.poll().await.json();
    let build = Job {
        id: jobs[0],
        token: first["token"].as_str().unwrap().to_owned(),
    };
    server.upload(&build, "", b"zip").await;
    server.update(&build, "success", json!({})).await;
    let second = server.poll().await.json();
    let dependency = second["dependencies"][0].clone();
    assert_eq!(dependency["id"], build.id);
    let token = dependency["token"].as_str().unwrap().to_owned();
    let good = download(&server, build.id, &token).await;
    assert_eq!((good.status, &*good.body), (200, &b"zip"[..]));

    let unauthorized = json!({ "message": "401 Unauthorized" });
    for bad in ["", "glcbt-64_wrong", &build.token, RUNNER] {
        download(&server, build.id, bad)
            .await
            .is(401, &unauthorized);
    }
    let forbidden = json!({ "message": "403 Forbidden" });
    download(&server, 999, &token).await.is(403, &forbidden);
    let not_found = json!({ "message": "404 Not Found" });
    download(&server, jobs[1], &token).await.is(404, &not_found);
    // A job of a project that is not on the list of the other one.
    let now = server.now();
    let other = server
        .world()
        .add_project(
            now,
            NewProject {
                path: "other".to_owned(),
                ..NewProject::default()
            },
        )
        .unwrap();
    let own = server
        .world()
        .add_job(
            now,
            mock_gitlab::world::NewJob::pending(other, JobDefinition::default().into()),
        )
        .unwrap();
    let foreign = server.poll().await.json();
    assert_eq!(foreign["id"], own);
    let foreign = foreign["token"].as_str().unwrap();
    download(&server, build.id, foreign)
        .await
        .is(403, &forbidden);
    // The token ends with its job, and the archive with its time.
    server.pass(31 * 86_400);
    download(&server, build.id, &token)
        .await
        .is(404, &not_found);
    let now = server.now();
    server.world().finish_job(now, jobs[1], None).unwrap();
    download(&server, build.id, &token)
        .await
        .is(401, &unauthorized);
}

/// Proves WIRE-ART-10.
#[tokio::test]
async fn directly_or_by_way_of_object_storage() {
    for remote in [false, true] {
        let server = Server::with(Settings {
            artifacts_object_storage: remote,
            ..Settings::default()
        });
        let job = job(&server).await;
        server.upload(&job, "", b"0123456789").await;
        let get = |query: &str| {
            server
                .get(&format!("/jobs/{}/artifacts?{query}", job.id))
                .header("JOB-TOKEN", &job.token)
                .send()
        };
        for query in ["", "direct_download=false", "direct_download=true"] {
            let answer = get(query).await;
            if remote && query == "direct_download=true" {
                assert_eq!((answer.status, answer.body.len()), (302, 0));
                let location = answer.header("location");
                assert!(location.starts_with("http://gitlab.example.com/object-storage/"));
            } else {
                assert_eq!((answer.status, &*answer.body), (200, &b"0123456789"[..]));
                assert_eq!(
                    answer.header("content-disposition"),
                    "attachment; filename=\"artifacts.zip\""
                );
            }
        }
    }
}

/// Object storage gives ranges, to whom knows the address.
#[tokio::test]
async fn object_storage() {
    let server = Server::with(Settings {
        artifacts_object_storage: true,
        ..Settings::default()
    });
    let job = job(&server).await;
    server.upload(&job, "", b"0123456789").await;
    let location = server
        .get(&format!("/jobs/{}/artifacts?direct_download=true", job.id))
        .header("JOB-TOKEN", &job.token)
        .send()
        .await;
    let location = location.header("location").to_owned();
    let path = location.strip_prefix("http://gitlab.example.com").unwrap();
    let get = |path: &str, range: Option<&str>| {
        let call = server.get("").outside_of_the_api(path);
        match range {
            Some(range) => call.header("Range", range),
            None => call,
        }
        .send()
    };
    let whole = get(path, None).await;
    assert_eq!((whole.status, &*whole.body), (200, &b"0123456789"[..]));
    let part = get(path, Some("bytes=0-0")).await;
    assert_eq!((part.status, &*part.body), (206, &b"0"[..]));
    assert_eq!(part.header("content-range"), "bytes 0-0/10");
    let beyond = get(path, Some("bytes=10-")).await;
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, "bytes */10")
    );
    let wrong = get(&format!("{}0", &path[..path.len() - 1]), None).await;
    assert!(wrong.status == 404 || path.ends_with('0'));
    let outside = get("/object-storage/artifacts/1/..%2F../etc", None).await;
    assert_eq!(outside.status, 404);
}

/// Proves WIRE-ART-11.
#[tokio::test]
async fn neither_way_is_a_heartbeat() {
    let server = Server::new();
    let job = job(&server).await;
    let contact = || {
        let world = server.world();
        let runner = world.runner(1).unwrap();
        (runner.contacted_at, runner.managers["s_1"].contacted_at)
    };
    let before = contact();
    server.pass(60);
    assert_eq!(server.upload(&job, "", b"zip").await.status, 201);
    assert_eq!(download(&server, job.id, &job.token).await.status, 200);
    assert_eq!(contact(), before);
    server.patch(&job, "0-0", b"x").await;
    assert_ne!(contact(), before);
}

/// Proves WIRE-ART-12.
#[tokio::test]
async fn workhorse_asks_first() {
    let server = Server::new();
    let job = job(&server).await;
    let ask = |query: &str, signature: Option<&str>| {
        let call = server
            .post(&format!("/jobs/{}/artifacts/authorize?{query}", job.id))
            .header("JOB-TOKEN", &job.token);
        match signature {
            Some(signature) => call.header("Gitlab-Workhorse-Api-Request", signature),
            None => call,
        }
        .send()
    };
    let good = signed();
    let answer = ask("", Some(&good)).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/vnd.gitlab-workhorse+json")
    );
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(body["TempPath"].as_str().unwrap().ends_with("tmp/uploads"));
    assert_eq!(body["MaximumSize"], 104_857_600);
    assert!(body.get("ProcessLsif").is_none());
    let lsif = ask("artifact_type=lsif", Some(&good)).await;
    let body: Value = serde_json::from_slice(&lsif.body).unwrap();
    assert_eq!(body["ProcessLsif"], true);
    assert_eq!(ask("filesize=104857601", Some(&good)).await.status, 413);

    let head = json!({ "alg": "HS256" });
    let claims = json!({ "iss": "gitlab-workhorse" });
    for bad in [
        None,
        Some(String::new()),
        Some("a.b.c".to_owned()),
        Some(good.replace('.', "")),
        Some(token(head.clone(), claims.clone(), b"another secret")),
        Some(token(head, json!({ "iss": "somebody" }), WORKHORSE_SECRET)),
        Some(token(json!({ "alg": "none" }), claims, WORKHORSE_SECRET)),
    ] {
        let answer = ask("", bad.as_deref()).await;
        answer.is(403, &json!({ "message": "403 Forbidden" }));
    }
}

/// A `dotenv` report gives its variables to later jobs.
#[tokio::test]
async fn a_dotenv_report() {
    use std::io::Write as _;
    let server = Server::new();
    server.pipeline(vec![
        JobDefinition {
            name: "build".to_owned(),
            stage: "build".to_owned(),
            ..JobDefinition::default()
        },
        JobDefinition::default(),
    ]);
    let first = server.poll().await.json();
    let build = Job {
        id: first["id"].as_i64().unwrap(),
        token: first["token"].as_str().unwrap().to_owned(),
    };
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"VERSION=1.2.3\n").unwrap();
    let query = "artifact_format=gzip&artifact_type=dotenv";
    let answer = server
        .upload(&build, query, &packed.finish().unwrap())
        .await;
    assert_eq!(answer.status, 201);
    server.update(&build, "success", json!({})).await;
    let second = server.poll().await.json();
    let variables = second["variables"].as_array().unwrap();
    let version = variables
        .iter()
        .find(|variable| variable["key"] == "VERSION");
    assert_eq!(version.unwrap()["value"], "1.2.3");
}
