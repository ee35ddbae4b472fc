//! Job inputs (runner.md 5.1).

use serde_json::json;

use crate::support::{Ran, TestJob};

fn job(commands: &[&str]) -> TestJob {
    let input = |key: &str, type_: &str, content: serde_json::Value| json!({"key": key, "value": {"type": type_, "content": content}});
    TestJob::new().script(commands).with(
        "inputs",
        json!([
            input("target", "string", json!("prod")),
            input("replicas", "number", json!(3)),
            input("debug", "boolean", json!(false)),
            input("tags", "array", json!(["a", "b"])),
            input("where", "struct", json!({"zone": "z1"})),
            {"key": "password", "value": {"type": "string", "content": "hunter2", "sensitive": true}},
        ]),
    )
}

async fn in_bash(job: TestJob) -> Ran {
    let folder = tempfile::tempdir().expect("temp");
    job.in_bash(folder.path()).await
}

/// Values of every type reach script and after_script.
#[tokio::test]
async fn inputs_are_put_into_scripts() {
    let job = job(&[
        "echo to ${{ job.inputs.target }} ${{ job.inputs.replicas + 1 }} ${{ job.inputs.debug && \"-v\" || \"-q\" }}",
        "echo '${{ job.inputs.tags }}' ${{ job.inputs.tags[1] }} ${{ job.inputs.where.zone }}",
        r"echo '\${{ job.inputs.target }}'",
    ]);
    let ran = in_bash(job.after_script(&["echo after ${{ job.inputs.target }}"])).await;
    let text = ran.text();
    for line in [
        "to prod 4 -q",
        r#"["a","b"] b z1"#,
        "${{ job.inputs.target }}",
        "after prod",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
    }
    assert!(ran.outcome.is_success());
    assert_eq!(ran.outcome.inputs.count, 3);
}

/// A job with an expression that cannot be replaced is a configuration error: nothing of it runs, not even
/// the preparation, and the reason is counted by its kind.
#[tokio::test]
async fn what_cannot_be_replaced_fails_the_job() {
    for (command, error, error_type) in [
        (
            "echo ${{ job.inputs.target",
            "failed to interpolate job inputs: parser: the expression is not closed by `}}` at 1:6",
            "parse",
        ),
        (
            "echo ${{ job.inputs.nothing }}",
            "failed to interpolate job inputs: attribute `nothing` not found at 1:20",
            "evaluation",
        ),
        (
            "echo ${{ job.inputs.password }}",
            "sensitive inputs are unsupported in interpolations yet",
            "sensitive_unsupported",
        ),
    ] {
        let ran = in_bash(job(&["echo fine", command])).await;
        assert_eq!(ran.failure(), (error, "runner_configuration_error", 0));
        assert_eq!(ran.text(), format!("ERROR: Job failed: {error}\n"));
        let failure = ran.outcome.inputs.failure.as_ref().expect("a failure");
        assert_eq!(failure.error_type, error_type);
        let calls: Vec<&str> = ran.calls.iter().map(|call| call.what.as_str()).collect();
        assert_eq!(calls, ["finish", "cleanup"]);
    }
}

/// `FF_ENABLE_JOB_INPUTS_INTERPOLATION` off: texts stay as they are.
#[tokio::test]
async fn the_flag_turns_it_off() {
    let job = job(&["echo '${{ job.inputs.target }} ${{ job.inputs.password }}'"]);
    let ran = in_bash(job.variable("FF_ENABLE_JOB_INPUTS_INTERPOLATION", "false")).await;
    assert!(
        ran.text()
            .contains("\n${{ job.inputs.target }} ${{ job.inputs.password }}\n"),
        "{}",
        ran.text()
    );
    assert!(ran.outcome.is_success());
}
