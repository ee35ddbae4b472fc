//! Go's decoding rules on job payloads (wire.md 1.7 and 3.8).

use protocol::go_json;
use protocol::job_payload::JobPayload;
use protocol::runners::{RegisterRequest, RunnerCredentials};
use serde_json::{Value, json};

fn payload(body: &str) -> Result<JobPayload, String> {
    go_json::from_slice(body.as_bytes()).map_err(|error| error.to_string())
}

fn ok(body: &str) -> JobPayload {
    payload(body).unwrap_or_else(|error| panic!("{body}: {error}"))
}

/// Missing members, null and a null document are the zero value, at every depth and for every type.
///
/// Proves WIRE-PAY-10.
#[test]
fn missing_and_null_are_zero() {
    let nulls = r#"{"id":null,"token":null,"allow_git_fetch":null,"job_info":null,"git_info":{"depth":null,
        "refspecs":null,"protected":null},"runner_info":{"timeout":null},"inputs":null,"variables":
        [{"key":null,"value":null,"public":null}],"steps":[{"name":null,"script":null}],"image":null,
        "services":null,"artifacts":null,"cache":null,"features":null,"secrets":null,
        "policy_options":null,"suspend_options":null}"#;
    for body in ["{}", "null", nulls] {
        let job = ok(body);
        assert_eq!(job.id.get(), 0, "{body}");
        assert_eq!(job.token.as_str(), "", "{body}");
        assert!(!job.allow_git_fetch.get());
        assert_eq!(job.git_info.get().depth.get(), 0);
        assert!(job.git_info.get().refspecs.as_slice().is_empty());
        assert_eq!(job.runner_info.get().timeout.get(), 0);
        assert!(job.artifacts.as_slice().is_empty());
        assert!(job.secrets.get().is_empty());
        assert_eq!(job.image.get().name.as_str(), "");
        for variable in job.variables.as_slice() {
            assert_eq!((variable.key.as_str(), variable.value.as_str()), ("", ""));
        }
    }
    // Inside a list null is the zero value too; here the difference cannot be kept.
    let job = ok(r#"{"git_info":{"refspecs":[null,"a"]}}"#);
    assert_eq!(job.git_info.get().refspecs.as_slice(), ["", "a"]);
}

/// Unknown members are ignored wherever they stand, whatever they hold, and so is what follows the value.
///
/// Proves WIRE-PAY-10.
#[test]
fn unknown_members_and_trailing_bytes_are_ignored() {
    let job = ok(
        r#"{"new":[{"a":1}],"id":7,"job_info":{"stage":"test","x":null,"id":"not read"},"steps":
        [{"name":"script","when":"always","y":1.5}],"runner_info":{"runner_session_url":7}} trailing {"id":8}"#,
    );
    assert_eq!(job.id.get(), 7);
    assert_eq!(job.job_info.get().stage.as_str(), "test");
    assert_eq!(job.steps.as_slice()[0].name.as_str(), "script");
    // They are gone afterwards: this is one of the cases that do not encode to the same value again.
    let encoded = serde_json::to_value(&job).expect("a payload always encodes");
    assert_eq!(encoded.get("new"), None);
}

/// Names match without regard to case; the exact name and the folded one are the same member.
#[test]
fn names_match_in_any_case() {
    let job = ok(
        r#"{"ID":7,"Token":"t","Git_Info":{"DEPTH":20,"ſha":"abc"},"STEPS":[{"Name":"script"}]}"#,
    );
    assert_eq!((job.id.get(), job.token.as_str()), (7, "t"));
    assert_eq!(job.git_info.get().depth.get(), 20);
    assert_eq!(job.git_info.get().sha.as_str(), "abc");
    assert_eq!(job.steps.as_slice()[0].name.as_str(), "script");
    // They encode in the spelling of the specification: they cannot encode to the same value again.
    let encoded = serde_json::to_value(&job).expect("a payload always encodes");
    assert_eq!(encoded["id"], 7);
    // Keys of a map are not names: their case counts.
    let job = ok(r#"{"secrets":{"A":{"file":true},"a":{"file":false}}}"#);
    assert_eq!(job.secrets.get().len(), 2);
}

/// Of a repeated member the last one wins, in whatever case; objects merge; null changes lists only.
#[test]
fn repeated_members() {
    let job = ok(r#"{"id":1,"ID":2,"token":"a","TOKEN":"b","token":null}"#);
    assert_eq!((job.id.get(), job.token.as_str()), (2, "b"));
    let job = ok(r#"{"id":1,"Id":2,"id":3}"#);
    assert_eq!(job.id.get(), 3);
    let job = ok(r#"{"git_info":{"depth":5,"sha":"a"},"git_info":{"sha":"b"}}"#);
    assert_eq!(job.git_info.get().depth.get(), 5);
    assert_eq!(job.git_info.get().sha.as_str(), "b");
    let job = ok(r#"{"cache":[{"key":"a"}],"cache":null}"#);
    assert!(job.cache.as_slice().is_empty());
    let job = ok(r#"{"cache":null,"cache":[{"key":"a"}]}"#);
    assert_eq!(job.cache.as_slice().len(), 1);
    assert!(payload(r#"{"id":"one","id":1}"#).is_err());
    assert!(payload(r#"{"id":1,"id":[]}"#).is_err());
}

/// A wrong type anywhere is fatal, and the error names the place.
#[test]
fn wrong_types_are_fatal() {
    let cases = [
        (r#"{"id":"4711"}"#, "`id`"),
        (r#"{"id":4711.0}"#, "`id`"),
        (r#"{"id":1e3}"#, "`id`"),
        (r#"{"id":99999999999999999999}"#, "`id`"),
        (r#"{"token":5}"#, "`token`"),
        (r#"{"allow_git_fetch":"true"}"#, "`allow_git_fetch`"),
        (r#"{"allow_git_fetch":1}"#, "`allow_git_fetch`"),
        (r#"{"job_info":{"name":5}}"#, "`job_info.name`"),
        (r#"{"job_info":[]}"#, "`job_info`"),
        (r#"{"job_info":["x"]}"#, "`job_info`"),
        (
            r#"{"job_info":{"project_jobs_running_on_instance_runners_count":0}}"#,
            "_count`",
        ),
        (r#"{"git_info":{"depth":"20"}}"#, "`git_info.depth`"),
        (r#"{"git_info":{"refspecs":"a"}}"#, "`git_info.refspecs`"),
        (r#"{"git_info":{"refspecs":[1]}}"#, "`git_info.refspecs[0]`"),
        (
            r#"{"runner_info":{"timeout":3600.0}}"#,
            "`runner_info.timeout`",
        ),
        (r#"{"variables":{}}"#, "`variables`"),
        (
            r#"{"variables":[{"key":"A","value":1}]}"#,
            "`variables[0].value`",
        ),
        (r#"{"steps":[{"script":"make"}]}"#, "`steps[0].script`"),
        (r#"{"steps":[{"timeout":3600.0}]}"#, "`steps[0].timeout`"),
        (r#"{"image":"ruby"}"#, "`image`"),
        (r#"{"image":{"entrypoint":"sh"}}"#, "`image.entrypoint`"),
        (
            r#"{"services":[{"command":"run"}]}"#,
            "`services[0].command`",
        ),
        (r#"{"artifacts":{}}"#, "`artifacts`"),
        (
            r#"{"dependencies":[{"artifacts_file":{"size":1.5}}]}"#,
            "`dependencies[0].artifacts_file.size`",
        ),
        (r#"{"secrets":[]}"#, "`secrets`"),
        (
            r#"{"secrets":{"DB":{"vault":{"path":1}}}}"#,
            "`secrets.DB.vault.path`",
        ),
        (
            r#"{"features":{"failure_reasons":[1]}}"#,
            "`features.failure_reasons[0]`",
        ),
        ("[]", ""),
        ("7", ""),
        ("", "empty"),
        ("{", ""),
    ];
    for (body, place) in cases {
        let error = payload(body).expect_err(body);
        assert!(error.contains(place), "{body}: {error}");
    }
}

/// `run` is fatal unless it is a string that holds a JSON array.
#[test]
fn run_holds_an_array() {
    for good in [
        r#"{"run":"[]"}"#,
        r#"{"run":"[{\"name\":\"a\",\"step\":\"x\"}]"}"#,
        "{}",
    ] {
        ok(good);
    }
    for bad in [
        "null",
        r#""""#,
        r#""{}""#,
        r#""null""#,
        r#""[1]""#,
        r#""[] x""#,
        "[]",
        "{}",
        "1",
    ] {
        let error = payload(&format!(r#"{{"run":{bad}}}"#)).expect_err(bad);
        assert!(error.starts_with("`run`"), "{bad}: {error}");
    }
}

/// Inputs have a key, a known type, and a content of that type.
///
/// Proves WIRE-PAY-12.
#[test]
fn inputs_are_validated() {
    let input = |value: &str| format!(r#"{{"inputs":[{{"key":"k","value":{value}}}]}}"#);
    let good = [
        r#"{"type":"string","content":""}"#,
        r#"{"type":"number","content":1.5}"#,
        r#"{"type":"boolean","content":false}"#,
        r#"{"type":"array","content":[]}"#,
        r#"{"type":"struct","content":{}}"#,
    ];
    for value in good {
        ok(&input(value));
    }
    let bad = [
        r#"{"type":"string","content":null}"#,
        r#"{"type":"string"}"#,
        r#"{"content":"x"}"#,
        r#"{"type":"text","content":"x"}"#,
        r#"{"type":"string","content":1}"#,
        r#"{"type":"number","content":"1"}"#,
        r#"{"type":"boolean","content":"true"}"#,
        r#"{"type":"array","content":{}}"#,
        r#"{"type":"struct","content":[]}"#,
        "null",
        r#""x""#,
    ];
    for value in bad {
        assert!(payload(&input(value)).is_err(), "{value}");
    }
    assert!(payload(r#"{"inputs":[{"value":{"type":"string","content":"x"}}]}"#).is_err());
    assert!(payload(r#"{"inputs":[{"key":"","value":{"type":"string","content":"x"}}]}"#).is_err());
}

/// `user` is a string or an integer, the rest has one type, and unknown keys are kept for the job to name.
#[test]
fn executor_options() {
    let opts = |opts: &str| format!(r#"{{"image":{{"name":"a","executor_opts":{opts}}}}}"#);
    for good in [
        "{}",
        "null",
        r#"{"docker":{}}"#,
        r#"{"docker":null}"#,
        r#"{"docker":{"platform":"linux/arm64","user":"1000"}}"#,
        r#"{"docker":{"user":1000}}"#,
        r#"{"kubernetes":{"user":1000}}"#,
        r#"{"kubernetes":{"user":"1000"}}"#,
    ] {
        ok(&opts(good));
    }
    for bad in [
        "[]",
        r#"{"docker":[]}"#,
        r#"{"docker":"x"}"#,
        r#"{"docker":{"platform":1}}"#,
        r#"{"docker":{"user":1.5}}"#,
        r#"{"docker":{"user":true}}"#,
        r#"{"kubernetes":{"user":[]}}"#,
    ] {
        assert!(payload(&opts(bad)).is_err(), "{bad}");
    }
    let job = ok(&opts(r#"{"docker":{"new":[1]},"podman":{"x":1}}"#));
    let kept = serde_json::to_value(job.image.get().executor_opts).expect("options encode");
    assert_eq!(kept, json!({"docker": {"new": [1]}, "podman": {"x": 1}}));
}

/// A queue time may be a float; whole seconds encode without a fraction, as the server writes them.
#[test]
fn queue_time_is_an_integer_or_a_float() {
    for (text, encoded) in [("4", "4"), ("4.25", "4.25"), ("4.0", "4"), ("0", "0")] {
        let job = ok(&format!(
            r#"{{"job_info":{{"time_in_queue_seconds":{text}}}}}"#
        ));
        let value = serde_json::to_value(&job).expect("a payload always encodes");
        assert_eq!(
            value["job_info"]["time_in_queue_seconds"].to_string(),
            encoded
        );
    }
}

/// What is no text becomes U+FFFD instead of losing the job.
#[test]
fn broken_text_is_repaired() {
    let job: JobPayload = go_json::from_slice(b"{\"token\":\"a\xffb\\ud800c\"}").expect("decodes");
    assert_eq!(job.token.as_str(), "a\u{fffd}b\u{fffd}c");
}

/// An expiry that is null or missing means never; a point in time keeps its spelling.
///
/// Proves WIRE-REG-14.
#[test]
fn token_expiry() {
    let decode = |body: &str| {
        go_json::from_slice::<RunnerCredentials>(body.as_bytes()).map_err(|error| error.to_string())
    };
    for body in [
        r#"{"id":1,"token":"t"}"#,
        r#"{"id":1,"token":"t","token_expires_at":null}"#,
    ] {
        assert_eq!(
            decode(body).map(|answer| answer.token_expires_at.into_option()),
            Ok(None)
        );
    }
    for text in [
        "2027-01-31T10:00:00.000Z",
        "2027-01-31T10:00:00Z",
        "2027-01-31T12:00:00.000+02:00",
    ] {
        let answer = decode(&format!(
            r#"{{"id":1,"token":"t","token_expires_at":"{text}"}}"#
        ))
        .expect(text);
        let time = answer.token_expires_at.as_ref().expect("there is one");
        assert_eq!(time.at().as_second(), 1_801_389_600);
        assert_eq!(time.as_str(), text);
    }
    assert!(decode(r#"{"token_expires_at":"soon"}"#).is_err());
}

/// Tags come as one text or as a list.
#[test]
fn tag_lists() {
    let tags = |list: Value| {
        go_json::from_value::<RegisterRequest>(json!({ "tag_list": list }))
            .map(|request| request.tag_list)
    };
    assert_eq!(tags(json!("a,b")).as_deref(), Ok("a,b"));
    assert_eq!(tags(json!(["a", "b"])).as_deref(), Ok("a,b"));
    assert_eq!(tags(json!(null)).as_deref(), Ok(""));
    assert!(tags(json!([1])).is_err());
    assert!(tags(json!(1)).is_err());
}
