//! `artifacts-uploader`: requests, and what answers mean (wire.md 6.1).

use std::io::{Read as _, Write as _};

use crate::support::{Project, Server, TOKEN, answer, members};

const ONE: &[&str] = &["--path", "a.txt"];

/// Proves WIRE-ART-01, WIRE-ART-02, WIRE-CON-08.
///
/// Goal: the request of the recording `artifacts`.
#[test]
fn one_part_in_a_chunked_body() {
    let server = Server::always(201);
    let project = Project::new().with(&["a.txt"]);
    let args = [
        ONE,
        &[
            "--name",
            "out\"x",
            "--expire-in",
            "7 days",
            "--artifact-type",
            "archive",
            "--artifact-format",
            "zip",
        ],
    ]
    .concat();
    let ran = project
        .helper(&server, "artifacts-uploader", &args)
        .ended(0);
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    let request = &seen[0];
    assert_eq!(request.method, "POST");
    assert_eq!(
        request.target,
        "/api/v4/jobs/1001/artifacts?artifact_format=zip&artifact_type=archive&expire_in=7+days"
    );
    assert_eq!(request.header("job-token"), TOKEN);
    assert_eq!(request.header("transfer-encoding"), "chunked");
    assert_eq!(request.header("content-length"), "");
    assert!(
        request
            .header("user-agent")
            .starts_with("gitlab-runner 19.4.0 (")
    );
    let id = request.header("x-request-id");
    assert!(
        id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{id}"
    );
    let (boundary, head, content) = request.part();
    assert!(
        boundary.len() == 60 && boundary.bytes().all(|b| b.is_ascii_hexdigit()),
        "{boundary}"
    );
    assert_eq!(
        head,
        "Content-Disposition: form-data; name=\"file\"; filename=\"out\\\"x.zip\"\r\nContent-Type: application/octet-stream"
    );
    assert_eq!(members(&content)["a.txt"], b"this is a.txt\n");
    assert_eq!(
        ran.log[1],
        format!(
            "Uploading artifacts as \"archive\" to coordinator... 201 Created  correlation_id={id} id=1001 status=201 token=64_Job010"
        )
    );

    // With nothing to say the URL still ends in `?`.
    project.helper(&server, "artifacts-uploader", ONE).ended(0);
    assert_eq!(server.seen()[1].target, "/api/v4/jobs/1001/artifacts?");
    assert!(
        server.seen()[1]
            .part()
            .1
            .contains("filename=\"artifacts.zip\"")
    );
}

/// Proves RUN-ART-01.
#[test]
fn no_files_are_a_success() {
    let server = Server::always(201);
    let ran = Project::new()
        .helper(&server, "artifacts-uploader", &["--path", "none*"])
        .ended(0);
    assert_eq!(ran.log.last().unwrap(), "ERROR: No files to upload");
    assert!(server.seen().is_empty());
}

/// Goal: without credentials nothing is tried.
#[test]
fn credentials_are_needed() {
    let project = Project::new().with(&["a.txt"]);
    for (args, expected) in [
        (
            vec!["--url", "http://127.0.0.1:1"],
            "FATAL: Missing runner credentials",
        ),
        (vec!["--token", "x"], "FATAL: Missing runner credentials"),
        (
            vec!["--url", "http://127.0.0.1:1", "--token", "x"],
            "FATAL: Missing build ID",
        ),
    ] {
        for command in ["artifacts-uploader", "artifacts-downloader"] {
            let ran = project.bare(command, &args, &[]).ended(1);
            assert_eq!(ran.log, [expected]);
        }
    }
}

/// Proves WIRE-ART-03.
///
/// Goal: results and texts of the recordings `artifact-faults` and `redir-upload`. The number of tries
/// for a 503, each of which is up to five requests, is proved by `upload::tests::tries`.
#[test]
fn answers() {
    let json = [("content-type", "application/json")];
    for (status, headers, body, requests, said, fatal) in [
        (
            403,
            &json[..],
            r#"{"message":"403 Forbidden"}"#,
            1,
            "ERROR: Uploading artifacts to coordinator... POST URL/api/v4/jobs/1001/artifacts: 403 Forbidden",
            "FATAL: permission denied",
        ),
        (
            413,
            &[],
            "",
            1,
            "ERROR: Uploading artifacts to coordinator... 413 Request Entity Too Large",
            "FATAL: too large",
        ),
        (
            200,
            &[],
            "",
            3,
            "WARNING: Uploading artifacts to coordinator... 200 OK",
            "FATAL: upload failed with no response from coordinator",
        ),
        (
            400,
            &json,
            r#"{"message":"no"}"#,
            3,
            "WARNING: Uploading artifacts to coordinator... POST URL/api/v4/jobs/1001/artifacts: 400 Bad Request (no)",
            "FATAL: upload failed with no response from coordinator",
        ),
        (
            307,
            &[],
            "",
            3,
            "ERROR: Uploading artifacts to coordinator... 307 Temporary Redirect empty location",
            "FATAL: upload failed with no response from coordinator",
        ),
    ] {
        let headers = headers.to_vec();
        let server = Server::start(move |_, _| answer(status, &headers, body));
        let project = Project::new().with(&["a.txt"]);
        let ran = project.helper(&server, "artifacts-uploader", ONE).ended(1);
        let messages = ran.messages();
        let said = said.replace("URL", &server.url());
        let seen = server.seen();
        assert_eq!(seen.len(), requests, "{status}");
        assert_eq!(messages[1], said);
        assert_eq!(messages.last(), Some(&fatal));
        let retry = "WARNING: Retrying...  context=artifacts-uploader error=upload failed with no response from coordinator";
        assert_eq!(
            ran.log.iter().filter(|line| *line == retry).count(),
            requests - 1
        );
        // Every try has an id and a boundary of its own.
        for (one, other) in seen.iter().zip(seen.iter().skip(1)) {
            assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
            assert_ne!(one.header("content-type"), other.header("content-type"));
        }
    }
}

/// Goal: one call repeats the same body under the same id when the server is overloaded for a moment
/// (recording `artifact-faults`, job 1001).
#[test]
fn automatic_retries_repeat_the_body() {
    let server = Server::start(|_, number| answer(if number == 0 { 503 } else { 201 }, &[], ""));
    let project = Project::new().with(&["a.txt", "b/c"]);
    project
        .helper(&server, "artifacts-uploader", &["--path", "."])
        .ended(0);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        seen[0].header("x-request-id"),
        seen[1].header("x-request-id")
    );
    assert_eq!(
        seen[0].header("content-type"),
        seen[1].header("content-type")
    );
    assert_eq!(seen[0].body, seen[1].body);
}

/// Goal: an answer that comes before the body was read counts, and the rest of the body is not waited for
/// (recording `early-413`).
#[test]
fn an_early_answer_counts() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 64];
        stream.read_exact(&mut head).unwrap();
        stream
            .write_all(b"HTTP/1.1 413 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        // The connection stays open, and nothing more is read from it.
        let _ = end.recv();
    });
    let project = Project::new();
    // Too much for the buffers of a connection, and nothing that gets smaller.
    let mut content = vec![0_u8; 16 << 20];
    let mut state = 1_u32;
    for byte in &mut content {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    std::fs::write(project.path("a.txt"), content).unwrap();
    let url = format!("http://{address}");
    let args = [
        "--url",
        &url,
        "--token",
        TOKEN,
        "--id",
        "1001",
        "--path",
        "a.txt",
        "--compression-level",
        "fastest",
    ];
    let ran = project.bare("artifacts-uploader", &args, &[]).ended(1);
    drop(ended);
    server.join().unwrap();
    assert_eq!(ran.messages().last(), Some(&"FATAL: too large"), "{ran:#?}");
    assert_eq!(
        ran.messages()[1],
        "ERROR: Uploading artifacts to coordinator... 413 X"
    );
}

/// Goal: 307 repeats the body at another host, and the token stays (wire.md 1.6, WIRE-CON-14).
#[test]
fn a_redirect_repeats_the_body() {
    let storage = Server::always(201);
    let location = format!("{}/u/b", storage.url().replace("127.0.0.1", "localhost"));
    let server = Server::start(move |_, _| answer(307, &[("location", &location)], ""));
    let project = Project::new().with(&["a.txt"]);
    project.helper(&server, "artifacts-uploader", ONE).ended(0);
    let (first, second) = (&server.seen()[0], &storage.seen()[0]);
    assert_eq!(second.target, "/u/b");
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("x-request-id"), second.header("x-request-id"));
    assert_eq!(first.header("job-token"), TOKEN);
    assert_eq!(second.header("job-token"), "");
}

/// Goal: what cannot be packed is not sent, and tried three times (recording `artifact-formats`, jobs
/// 1002, 1005 and 1008).
#[test]
fn what_cannot_be_packed_is_not_sent() {
    for (args, error) in [
        (
            &["--path", "d", "--artifact-format", "gzip"][..],
            "execute raw request: execute request: couldn't execute POST against TO: Post \"TO\": failed to copy content to form: the \"d\" is not a regular file",
        ),
        (
            &["--path", "d/1", "--path", "d/2", "--artifact-format", "raw"],
            "execute raw request: execute request: couldn't execute POST against TO: Post \"TO\": failed to copy content to form: only one file can be sent as raw",
        ),
        (
            &["--path", "d", "--artifact-format", "bogus"],
            "execute raw request: get reader: couldn't get original body: \"bogus\" format: unsupported archive format",
        ),
    ] {
        let server = Server::always(201);
        let project = Project::new().with(&["d/1", "d/2"]);
        let ran = project.helper(&server, "artifacts-uploader", args).ended(1);
        assert!(server.seen().is_empty());
        let format = args.last().unwrap();
        let to = format!(
            "{}/api/v4/jobs/1001/artifacts?artifact_format={format}",
            server.url()
        );
        let error = error.replace("TO", &to);
        assert_eq!(ran.log.last().unwrap(), &format!("FATAL: {error}"));
        let tries = ran
            .messages()
            .iter()
            .filter(|line| line.starts_with("ERROR: Uploading artifacts to coordinator... error"))
            .count();
        assert_eq!(tries, 3);
    }
}

/// Goal: gzip has a member per file, with base name and path, and raw is the file (recording
/// `artifact-formats`, jobs 1001 and 1004).
#[test]
fn reports() {
    let server = Server::always(201);
    let project = Project::new().with(&["d/1", "d/e/2"]);
    let gzip = [
        "--path",
        "d/1",
        "--path",
        "d/e/2",
        "--artifact-format",
        "gzip",
        "--name",
        "junit.xml",
    ];
    project
        .helper(&server, "artifacts-uploader", &gzip)
        .ended(0);
    let (_, head, content) = server.seen()[0].part();
    assert!(head.contains("filename=\"junit.xml.gz\""), "{head}");
    // Name and comment stand behind the head of ten bytes.
    assert_eq!(content[..4], [0x1f, 0x8b, 8, 0x18]);
    assert!(content[10..].starts_with(b"1\0d/1\0"));
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&content[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "this is d/1\nthis is d/e/2\n");

    let raw = [
        "--path",
        "d/1",
        "--artifact-format",
        "raw",
        "--name",
        "raw1",
    ];
    project.helper(&server, "artifacts-uploader", &raw).ended(0);
    let (_, head, content) = server.seen()[1].part();
    assert!(head.contains("filename=\"raw1\""), "{head}");
    assert_eq!(&content[..], b"this is d/1\n");
}

/// Proves RUN-ART-08.
///
/// Goal: the statement of the recording `artifact-formats` (job 1001), for zip only; it is in the archive
/// unless excluded, and no subject of itself.
#[test]
fn provenance() {
    let server = Server::always(201);
    let project = Project::new().with(&["d/1", "d/e/2"]);
    let statement = [
        "--generate-artifacts-metadata",
        "--runner-id",
        "12345",
        "--repo-url",
        "http://h/group/demo",
        "--repo-digest",
        "872f50b45f3eadd9e556651975856f3d5198f4e5",
        "--job-name",
        "f0",
        "--executor-name",
        "shell",
        "--runner-name",
        "golden",
        "--started-at",
        "2026-11-25T03:13:21Z",
        "--ended-at",
        "2026-11-25T03:13:22Z",
        "--metadata-parameter",
        "CI",
        "--metadata-parameter",
        "CI_JOB_TOKEN",
        "--name",
        "z",
        "--path",
        "d",
    ];
    let zip = [&statement[..], &["--artifact-format", "zip"]].concat();
    let ran = project.helper(&server, "artifacts-uploader", &zip).ended(0);
    assert_eq!(
        ran.messages()[1..3],
        [
            "Generating artifacts statement",
            "WARNING: Unknown SLSA provenance version unknown, defaulting to v1",
        ]
    );
    let packed = members(&server.seen()[0].part().2);
    let found: serde_json::Value = serde_json::from_slice(&packed["z-metadata.json"]).unwrap();
    let subject =
        |name: &str, digest: &str| serde_json::json!({"name": name, "digest": {"sha256": digest}});
    let uri = "http://h/group/demo";
    assert_eq!(
        found,
        serde_json::json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "subject": [
                // sha256sum of "this is d/1\n" and "this is d/e/2\n".
                subject("d/1", "b0e785aebdce922d5ddbc42b5cab44125ac718c27dbc84e1341b73920b9c4d2e"),
                subject("d/e/2", "12335d1d4034a211346c1fb5d04a3989f93a92690e27bb98e7469b66e2b41d82"),
            ],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/gauntlet/PROVENANCE.md",
                    "externalParameters": {"CI": "", "CI_JOB_TOKEN": "", "entryPoint": "f0", "source": uri},
                    "internalParameters": {
                        "architecture": found["predicate"]["buildDefinition"]["internalParameters"]["architecture"],
                        "executor": "shell", "job": "1001", "name": "golden",
                    },
                    "resolvedDependencies": [
                        {"uri": uri, "digest": {"sha256": "872f50b45f3eadd9e556651975856f3d5198f4e5"}},
                    ],
                },
                "runDetails": {
                    "builder": {
                        "id": "http://h/group/demo/-/runners/12345",
                        "version": {"gitlab-runner": "gauntlet"},
                    },
                    "metadata": {
                        "invocationId": "1001",
                        "startedOn": "2026-11-25T03:13:21Z",
                        "finishedOn": "2026-11-25T03:13:22Z",
                    },
                },
            },
        })
    );
    std::fs::remove_file(project.path("z-metadata.json")).unwrap();

    let v1 = [("SLSA_PROVENANCE_SCHEMA_VERSION", "v1")];
    let without = [&zip[..], &["--exclude", "z-*"]].concat();
    let ran = project
        .helper_with(&server, "artifacts-uploader", &without, &v1)
        .ended(0);
    assert!(
        ran.log.iter().all(|line| !line.contains("Unknown SLSA")),
        "{ran:#?}"
    );
    assert!(!members(&server.seen()[1].part().2).contains_key("z-metadata.json"));
    assert!(project.path("z-metadata.json").exists());

    let gzip = [
        &statement[..],
        &[
            "--exclude",
            "d",
            "--exclude",
            "d/e",
            "--artifact-format",
            "gzip",
        ],
    ]
    .concat();
    let ran = project
        .helper(&server, "artifacts-uploader", &gzip)
        .ended(0);
    assert!(
        !ran.log.iter().any(|line| line.contains("statement")),
        "{ran:#?}"
    );
}
