//! Scripts of the runner's entry and of the job around the stages (runner.md 5.3), with a real bash.

use serde_json::json;

use super::shell::section;
use super::support::TestJob;

fn with_hooks() -> TestJob {
    let mut job = TestJob::new().with(
        "hooks",
        json!([
            {"name": "pre_get_sources_script", "script": ["echo job pre"]},
            {"name": "post_get_sources_script", "script": ["echo job post"]},
        ]),
    );
    "echo config pre".clone_into(&mut job.config.pre_get_sources_script);
    "echo config post".clone_into(&mut job.config.post_get_sources_script);
    job
}

/// Proves RUN-JOB-21.
#[tokio::test]
async fn order_of_hooks_around_the_sources() {
    let folder = tempfile::tempdir().expect("temp");
    let mut job = with_hooks()
        .variable("GIT_STRATEGY", "fetch")
        .variable("GIT_CHECKOUT", "false");
    let site = super::git::Site::new();
    job.payload["git_info"]["repo_url"] = json!(site.url);
    let ran = job.in_bash(folder.path()).await;
    let output = section(&ran, "get_sources");
    let lines: Vec<&str> = output
        .lines()
        .filter(|line| {
            line.starts_with("config ") || line.starts_with("job ") || line.starts_with("Fetching")
        })
        .collect();
    assert_eq!(
        lines,
        [
            "config pre",
            "job pre",
            "Fetching changes with git depth set to 20...",
            "job post",
            "config post"
        ],
        "{output}"
    );
    for strategy in ["none", "empty"] {
        let job = with_hooks().variable("GIT_STRATEGY", strategy);
        let ran = job.in_bash(folder.path()).await;
        assert!(ran.outcome.is_success(), "{}", ran.text());
        let output = section(&ran, "get_sources");
        assert!(
            !output.contains("config ") && !output.contains("job "),
            "{output}"
        );
    }
}

/// Proves RUN-JOB-22.
#[tokio::test]
async fn build_hooks_share_the_shell_of_the_script() {
    let folder = tempfile::tempdir().expect("temp");
    let mut job = TestJob::new()
        .script(&["echo \"script [$x]\"; y=2"])
        .after_script(&["echo \"after [$x][$y]\""]);
    job.config.pre_build_script = "x=1".to_owned();
    job.config.post_build_script = "echo \"post [$x][$y]\"".to_owned();
    let ran = job.in_bash(folder.path()).await;
    let output = section(&ran, "step_script");
    assert!(
        output.contains("\nscript [1]\n") && output.ends_with("\npost [1][2]\n"),
        "{output}"
    );
    assert!(
        section(&ran, "after_script").ends_with("\nafter [][]\n"),
        "{}",
        ran.text()
    );
}

/// A hook that fails fails its stage, and `after_script` follows the build hook.
#[tokio::test]
async fn a_failing_hook_fails_its_stage() {
    let folder = tempfile::tempdir().expect("temp");
    let mut job = TestJob::new()
        .script(&["echo script"])
        .after_script(&["echo after"]);
    job.config.pre_build_script = "exit 6".to_owned();
    let ran = job.in_bash(folder.path()).await;
    assert_eq!(ran.failure(), ("exit status 6", "script_failure", 6));
    assert!(section(&ran, "after_script").ends_with("\nafter\n"));
}
