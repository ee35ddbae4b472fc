//! Every body that is written down somewhere decodes and encodes to the same JSON value.
//!
//! - `examples.jsonl`: the examples of `spec/wire.md`, with what it leaves out filled in.
//! - `recorded-bodies.jsonl`: bodies of sessions of the official runner, one of each shape (members,
//!   types, states and names of an enumeration) per endpoint, direction and status.

use protocol::error_body::ErrorBody;
use protocol::go_json;
use protocol::job_payload::JobPayload;
use protocol::other::{
    AgentRunnerInfo, ArtifactsAuthorization, RouterDiscovery, RuntimeEnvironmentKey,
};
use protocol::runners::{
    RegisterRequest, ResetTokenAnswer, RunnerCredentials, TokenRequest, VerifyRequest,
};
use protocol::{JobRequest, JobUpdate};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize)]
struct Line {
    endpoint: String,
    direction: String,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    session: String,
    body: String,
}

fn lines(file: &str) -> Vec<Line> {
    file.lines()
        .map(|line| serde_json::from_str(line).expect("a line of our own data file"))
        .collect()
}

fn through<T: DeserializeOwned + Serialize>(body: &str) -> Result<Value, String> {
    let decoded: T = go_json::from_slice(body.as_bytes()).map_err(|error| error.to_string())?;
    serde_json::to_value(decoded).map_err(|error| error.to_string())
}

/// Decodes with the type of the endpoint and encodes again.
fn again(line: &Line) -> Result<Value, String> {
    let body = line.body.as_str();
    // PUT and uploads are answered with a number, a number as text, or nothing in particular: nobody
    // reads it.
    let unread = matches!(
        line.endpoint.as_str(),
        "PUT jobs/:id" | "POST jobs/:id/artifacts"
    ) && line.direction == "answer"
        && line.status < 400;
    match serde_json::from_str(body) {
        Ok(value) if unread => return Ok(value),
        Ok(value @ (Value::String(_) | Value::Number(_))) => return Ok(value),
        Err(error) if unread => return Err(error.to_string()),
        _ => {}
    }
    match (line.endpoint.as_str(), line.direction.as_str(), line.status) {
        ("POST runners", "request", _) => through::<RegisterRequest>(body),
        ("POST runners/verify", "request", _) => through::<VerifyRequest>(body),
        ("POST runners/:id/reset_authentication_token", "request", _) => {
            through::<Option<TokenRequest>>(body)
        }
        (
            "DELETE runners"
            | "DELETE runners/managers"
            | "POST runners/reset_authentication_token",
            "request",
            _,
        ) => through::<TokenRequest>(body),
        ("POST jobs/request", "request", _) => through::<JobRequest>(body),
        ("PUT jobs/:id", "request", _) => through::<JobUpdate>(body),
        ("POST runners" | "POST user/runners", "answer", 201)
        | ("POST runners/verify", "answer", 200) => through::<RunnerCredentials>(body),
        (
            "POST runners/reset_authentication_token"
            | "POST runners/:id/reset_authentication_token",
            "answer",
            201,
        ) => through::<ResetTokenAnswer>(body),
        ("POST jobs/request", "answer", 201) => through::<JobPayload>(body),
        ("GET runners/router/discovery", "answer", 200) => through::<RouterDiscovery>(body),
        ("GET jobs/:id/runtime_environment_key", "answer", 200) => {
            through::<RuntimeEnvironmentKey>(body)
        }
        ("GET internal/ci/agents/runner/info", "answer", 200) => through::<AgentRunnerInfo>(body),
        ("POST jobs/:id/artifacts/authorize", "answer", 200) => {
            through::<ArtifactsAuthorization>(body)
        }
        ("DELETE runners/managers", "answer", 200) | (_, "answer", 400..) => {
            through::<ErrorBody>(body)
        }
        (endpoint, direction, status) => {
            Err(format!("no type for {endpoint} {direction} {status}"))
        }
    }
}

/// Where two values differ first, for a failure that can be read.
fn difference(left: &Value, right: &Value, path: &str) -> Option<String> {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            left.keys().chain(right.keys()).find_map(|key| {
                let missing = Value::String("(absent)".to_owned());
                difference(
                    left.get(key).unwrap_or(&missing),
                    right.get(key).unwrap_or(&missing),
                    &format!("{path}.{key}"),
                )
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(index, (left, right))| {
                difference(left, right, &format!("{path}[{index}]"))
            }),
        _ if left == right => None,
        _ => Some(format!("{path}: {left} became {right}")),
    }
}

fn check(file: &str, not_equal: &[(&str, &str)], fatal: &[(&str, &str)]) {
    let (mut seen, mut unequal, mut undecodable) = (0, Vec::new(), Vec::new());
    for line in lines(file) {
        seen += 1;
        let what = format!(
            "{} {} {} {}",
            line.endpoint, line.direction, line.status, line.session
        );
        match (serde_json::from_str::<Value>(&line.body), again(&line)) {
            (Ok(value), Ok(encoded)) => {
                if let Some(difference) = difference(&value, &encoded, "") {
                    unequal.push((what, difference));
                }
            }
            (_, Err(error)) => undecodable.push((what, error)),
            (Err(error), Ok(_)) => undecodable.push((what, error.to_string())),
        }
    }
    assert!(seen > 40, "only {seen} bodies in the file");
    let listed = |list: &[(&str, &str)], found: &[(String, String)]| {
        let expected: Vec<(String, String)> = list
            .iter()
            .map(|(what, why)| ((*what).to_owned(), (*why).to_owned()))
            .collect();
        pretty(&expected) == pretty(found)
    };
    assert!(
        listed(not_equal, &unequal),
        "encode differently:\n{}",
        pretty(&unequal)
    );
    assert!(
        listed(fatal, &undecodable),
        "do not decode:\n{}",
        pretty(&undecodable)
    );
}

fn pretty(list: &[(String, String)]) -> String {
    let lines: Vec<String> = list
        .iter()
        .map(|(what, why)| format!("{what} => {why}"))
        .collect();
    lines.join("\n")
}

#[test]
fn examples_of_the_specification_encode_as_they_came() {
    check(include_str!("../examples.jsonl"), &[], &[]);
}

/// What does not decode is listed with its message: a payload whose entry point is a string, which the
/// official runner lost as well, and plain texts that the recording server called JSON.
#[test]
fn recorded_bodies_encode_as_they_came() {
    let no_json = "expected value at line 1 column 1";
    check(
        include_str!("../recorded-bodies.jsonl"),
        &[],
        &[
            ("PATCH jobs/:id/trace answer 429 rate-limited", no_json),
            (
                "POST jobs/request answer 201 bad-payloads",
                "`image.entrypoint`: invalid type: string, expected a sequence",
            ),
            ("POST jobs/request answer 429 retry-shutdown", no_json),
            ("PUT jobs/:id answer 202 final-202", no_json),
            ("PUT jobs/:id answer 409 final-202", no_json),
            ("PUT jobs/:id answer 429 rate-limited", no_json),
        ],
    );
}
