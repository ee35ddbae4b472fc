//! Tables of the specification, row by row.

use protocol::artifact::{UploadQuery, format_of, types};
use protocol::error_body::{missing_parameter, not_found, rendered_message, validation};
use protocol::info::Features;
use protocol::path::{api_base, job_artifacts_download, job_artifacts_upload};
use protocol::token::{generate, is_created, short};
use protocol::trace::{
    ContentRange, checksum_of, content_range_start, resync_offset, stored_range,
};
use protocol::{FailureReason, time};
use rand::SeedableRng;
use serde_json::json;

/// The recorded session `url-forms`: where the poll went for each form of `url`.
///
/// Proves WIRE-CON-01.
#[test]
fn base_url_forms() {
    let forms = [
        (
            "http://gitlab.example.com",
            Some("http://gitlab.example.com/api/v4/"),
        ),
        (
            "http://gitlab.example.com/",
            Some("http://gitlab.example.com/api/v4/"),
        ),
        (
            "http://gitlab.example.com/ci",
            Some("http://gitlab.example.com/api/v4/"),
        ),
        (
            "http://gitlab.example.com/gitlab/ci//",
            Some("http://gitlab.example.com/gitlab/api/v4/"),
        ),
        (
            "http://gitlab.example.com/ci/ci",
            Some("http://gitlab.example.com/ci/api/v4/"),
        ),
        (
            "http://user:pw@gitlab.example.com",
            Some("http://user:pw@gitlab.example.com/api/v4/"),
        ),
        (
            "http://gitlab.example.com/a?x=1",
            Some("http://gitlab.example.com/"),
        ),
        (
            "HTTP://gitlab.example.com:80",
            Some("http://gitlab.example.com:80/api/v4/"),
        ),
        ("https://h/gitlab/ci/", Some("https://h/gitlab/api/v4/")),
        ("https://h/a/b?x", Some("https://h/a/")),
        ("https://h?x", Some("https://h/")),
        ("ftp://gitlab.example.com", None),
        ("gitlab.example.com", None),
        ("http://", None),
        ("http:///ci", None),
        ("", None),
    ];
    for (url, base) in forms {
        assert_eq!(api_base(url).ok().as_deref(), base, "{url}");
    }
}

/// The server reads the number before the first `-` and nothing else.
#[test]
fn start_of_a_content_range() {
    for (value, start) in [
        ("0-16", 0),
        ("17-20", 17),
        ("17-20/100", 17),
        ("17", 17),
        (" 17-20", 17),
        ("15-14", 15),
        ("0--1", 0),
        ("", 0),
        ("-5", 0),
        ("bytes 5-9", 0),
        ("5x-9", 5),
        ("1_0-9", 10),
        ("99999999999999999999-1", u64::MAX),
    ] {
        assert_eq!(content_range_start(value), start, "{value}");
    }
}

/// The runner takes the number after `-` if there are exactly two parts.
#[test]
fn offset_of_a_416() {
    for (range, offset) in [
        (Some("0-10"), 10),
        (Some("bytes=0-7"), 7),
        (Some("9"), 0),
        (Some("0-abc"), 0),
        (Some("0- 4"), 0),
        (Some("0-3-4"), 0),
        (Some("0-"), 0),
        (Some("0-9999999999999999999"), 0),
        (Some(""), 0),
        (None, 0),
    ] {
        assert_eq!(resync_offset(range), offset, "{range:?}");
    }
}

/// Ranges and checksums in their spelling.
///
/// Proves RUN-LOG-11.
#[test]
fn ranges_and_checksums() {
    let range = |first, length| ContentRange { first, length }.to_string();
    assert_eq!(range(0, 17), "0-16");
    assert_eq!(range(17, 1), "17-17");
    assert_eq!(range(15, 0), "15-14");
    assert_eq!(range(0, 0), "0--1");
    assert_eq!(stored_range(17), "0-17");
    // The check value of CRC-32 (IEEE), and the one of nothing.
    assert_eq!(checksum_of(b"123456789"), "crc32:cbf43926");
    assert_eq!(checksum_of(b""), "crc32:00000000");
}

/// Known prefixes are stripped, 9 characters stay.
#[test]
fn short_tokens() {
    for (token, shortened) in [
        ("glrt-t3_AbCdEfGhIjKlMnOpQrSt", "AbCdEfGhI"),
        ("glrt-t1_AbCdEfGhIjKl", "AbCdEfGhI"),
        ("glrt-AbCdEfGhIjKlMnOpQrSt", "AbCdEfGhI"),
        ("t1_AbCdEfGhIjKlMnOpQrSt", "AbCdEfGhI"),
        ("glrtr-AbCdEfGhIjKlMnOpQrSt", "AbCdEfGhI"),
        ("glcbt-64_x7Zy0AbCdEf", "64_x7Zy0A"),
        ("GR1348941aBcDeFgHiJkLmNoPqRs", "aBcDeFgHi"),
        ("RUNNER-TOKEN-legacy-0001", "RUNNER-TO"),
        ("GRünde-sind-gut", "GRünde-si"),
        ("short", "short"),
        ("", ""),
    ] {
        assert_eq!(short(token), shortened, "{token}");
    }
    assert!(is_created("glrt-x"));
    assert!(!is_created("glrtr-x") && !is_created("acme-glrt-x"));
}

/// Tokens have 20 characters of the alphabet behind their prefix and depend on the seed only.
#[test]
fn generated_tokens() {
    let make = |seed| generate("glrt-t1_", &mut rand::rngs::StdRng::seed_from_u64(seed));
    let token = make(7);
    let rest = token.strip_prefix("glrt-t1_").expect("the prefix");
    assert_eq!(rest.len(), 20);
    assert!(
        rest.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    );
    assert_eq!(token, make(7));
    assert_ne!(token, make(8));
}

/// Unsupported reasons are replaced; three are always sent as they are.
///
/// Proves RUN-JOB-19.
#[test]
fn failure_reasons_are_mapped() {
    use FailureReason as R;
    let all: Vec<String> = R::ALL.iter().map(ToString::to_string).collect();
    for reason in R::ALL {
        assert_eq!(reason.mapped_for(&all), *reason);
        assert_eq!(reason.as_str().parse(), Ok(*reason));
        assert_eq!(
            serde_json::to_value(reason).ok(),
            Some(json!(reason.as_str()))
        );
    }
    for (reason, sent) in [
        (R::ScriptFailure, R::ScriptFailure),
        (R::RunnerSystemFailure, R::RunnerSystemFailure),
        (R::JobExecutionTimeout, R::JobExecutionTimeout),
        (R::ImagePullFailure, R::RunnerSystemFailure),
        (R::RunnerExternalDependencyFailure, R::RunnerSystemFailure),
        (R::RunnerConfigurationError, R::ScriptFailure),
        (R::RunnerInterrupted, R::UnknownFailure),
        (R::JobCanceled, R::UnknownFailure),
    ] {
        assert_eq!(reason.mapped_for(&[]), sent, "{reason}");
    }
    assert!("made_up".parse::<R>().is_err());
}

/// Features by executor, as the official runner announces them; every key is always there.
///
/// Proves EXE-GEN-01.
#[test]
fn features_by_executor() {
    let names = |features: Features| -> Vec<&str> {
        Features::NAMES
            .iter()
            .copied()
            .filter(|name| features.by_name(name) == Some(true))
            .collect()
    };
    assert_eq!(Features::NAMES.len(), 31);
    assert_eq!(
        names(Features::always()),
        [
            "trace_reset",
            "trace_checksum",
            "trace_size",
            "cancelable",
            "cancel_gracefully",
            "two_phase_job_commit",
            "job_inputs"
        ]
    );
    let off = |executor| -> Vec<&str> {
        let features = Features::for_executor(executor).expect("a known executor");
        Features::NAMES
            .iter()
            .copied()
            .filter(|name| features.by_name(name) == Some(false))
            .collect()
    };
    assert_eq!(
        off("shell"),
        [
            "image",
            "services",
            "proxy",
            "service_variables",
            "service_multiple_aliases",
            "image_executor_opts",
            "service_executor_opts"
        ]
    );
    assert_eq!(off("docker"), ["shared", "proxy"]);
    assert_eq!(off("docker+machine"), off("docker"));
    assert_eq!(off("kubernetes"), ["shared", "service_executor_opts"]);
    assert_eq!(
        off("custom"),
        [
            "image",
            "services",
            "session",
            "terminal",
            "proxy",
            "service_multiple_aliases",
            "image_executor_opts",
            "service_executor_opts",
            "native_steps_integration"
        ]
    );
    let like_ssh = [
        "image",
        "services",
        "session",
        "terminal",
        "proxy",
        "service_variables",
        "service_multiple_aliases",
        "image_executor_opts",
        "service_executor_opts",
        "native_steps_integration",
    ];
    assert_eq!(off("ssh"), like_ssh);
    assert_eq!(off("instance"), like_ssh[..9]);
    for executor in ["virtualbox", "parallels"] {
        let features = Features::for_executor(executor).expect("a known executor");
        assert!(!features.shared && !off(executor).contains(&"variables"));
        assert_eq!(off(executor).len(), like_ssh.len() + 1);
    }
    assert_eq!(
        off("docker-windows"),
        ["shared", "proxy", "native_steps_integration"]
    );
    let members = serde_json::to_value(Features::default()).expect("features encode");
    assert_eq!(members.as_object().map(serde_json::Map::len), Some(31));
    assert_eq!(Features::for_executor("made-up"), None);
}

/// Artifact types have one format each; the upload's query is ordered and form-encoded.
///
/// Proves WIRE-ART-02.
#[test]
fn artifact_types_and_queries() {
    assert_eq!(types().count(), 34);
    for (name, format) in [
        ("archive", "zip"),
        ("junit", "gzip"),
        ("sast", "raw"),
        ("trace", "raw"),
    ] {
        assert_eq!(format_of(name), Some(format));
    }
    assert_eq!(format_of("made_up"), None);
    let query = UploadQuery {
        artifact_format: "zip",
        artifact_type: "archive",
        expire_in: "7 days",
    };
    assert_eq!(
        job_artifacts_upload(4711, &query),
        "jobs/4711/artifacts?artifact_format=zip&artifact_type=archive&expire_in=7+days"
    );
    assert_eq!(
        job_artifacts_upload(4711, &UploadQuery::default()),
        "jobs/4711/artifacts?"
    );
    let odd = UploadQuery {
        expire_in: "a&b=ü~",
        ..UploadQuery::default()
    };
    assert_eq!(odd.encoded(), "expire_in=a%26b%3D%C3%BC~");
    assert_eq!(
        job_artifacts_download(7, true),
        "jobs/7/artifacts?direct_download=true"
    );
    assert_eq!(job_artifacts_download(7, false), "jobs/7/artifacts?");
}

/// Error bodies, and what the runner reads from them.
#[test]
fn error_bodies() {
    use protocol::error_body::message;
    assert_eq!(
        missing_parameter("token"),
        json!({"error": "token is missing"})
    );
    assert_eq!(
        message(403, "Forbidden", None),
        json!({"message": "403 Forbidden"})
    );
    assert_eq!(
        message(410, "Gone", Some("runner registration disallowed")),
        json!({"message": "410 Gone - runner registration disallowed"})
    );
    assert_eq!(
        not_found(Some("Runner manager not found")),
        json!({"message": "404 Runner manager not found Not Found"})
    );
    assert_eq!(
        validation("tags_list", "x"),
        json!({"message": {"tags_list": ["x"]}})
    );
    for (body, text) in [
        (r#"{"message":"403 Forbidden"}"#, Some("403 Forbidden")),
        (
            r#"{"message":{"a":["x","y"],"b":["z"]}}"#,
            Some("a: x; y, b: z"),
        ),
        (r#"{"message":{"error":"x"}}"#, None),
        (r#"{"message":5}"#, None),
        (r#"{"error":"x"}"#, None),
        ("no json", None),
    ] {
        assert_eq!(rendered_message(body.as_bytes()).as_deref(), text, "{body}");
    }
}

/// GitLab writes UTC with milliseconds.
#[test]
fn times() {
    let at = jiff::Timestamp::from_millisecond(1_801_389_600_005).expect("in range");
    assert_eq!(time::text(at), "2027-01-31T10:00:00.005Z");
}
