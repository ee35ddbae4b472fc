//! Jobs that are refused at pickup (runner.md 4.2 step 7, RUN-SCH-13).

use std::collections::BTreeMap;

use protocol::JobPayload;
use serde_json::Value;

/// Executors that options may be given for, with the options that each knows.
const EXECUTORS: [(&str, &[&str]); 2] =
    [("docker", &["platform", "user"]), ("kubernetes", &["user"])];

/// The lines of the refusal; none for a job that can be tried.
pub(super) fn refusals(payload: &JobPayload) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(image) = payload.image.as_ref() {
        check(&image.executor_opts.get(), &mut lines);
    }
    for service in payload.services.as_slice() {
        check(&service.executor_opts.get(), &mut lines);
    }
    if !payload.run.as_str().is_empty() {
        let has_script = payload
            .steps
            .as_slice()
            .iter()
            .any(|step| !step.script.as_slice().is_empty());
        lines.push(if has_script {
            "the `run` and `script` keywords cannot be used together".to_owned()
        } else {
            "the `run` keyword needs native steps, which this runner does not have".to_owned()
        });
    }
    lines
}

fn check(options: &BTreeMap<String, Value>, lines: &mut Vec<String>) {
    let unknown = |given: Vec<&str>, known: &[&str]| -> Vec<String> {
        given
            .into_iter()
            .filter(|name| !known.contains(name))
            .map(str::to_owned)
            .collect()
    };
    let names: Vec<&str> = EXECUTORS.iter().map(|(name, _)| *name).collect();
    let odd = unknown(options.keys().map(String::as_str).collect(), &names);
    if !odd.is_empty() {
        lines.push(line(&odd, "executor_opts", &names));
    }
    for (executor, known) in EXECUTORS {
        let Some(Value::Object(given)) = options.get(executor) else {
            continue;
        };
        let odd = unknown(given.keys().map(String::as_str).collect(), known);
        if !odd.is_empty() {
            lines.push(line(&odd, &format!("{executor} executor"), known));
        }
    }
}

fn line(odd: &[String], of: &str, known: &[&str]) -> String {
    format!(
        "Unsupported \"image\" options [{}] for \"{of}\"; supported options are [{}]",
        odd.join(" "),
        known.join(" ")
    )
}
