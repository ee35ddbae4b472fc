//! Real clients that nobody here wrote drive the server.
//!
//! They come from PyPI and npm by the ordinary clients, into a folder below the target folder, where the
//! next run finds them. So these tests need those registries and are left out of a plain `cargo test`;
//! `.ci/run` plays them with `cargo test -p mock-gitlab --test interop -- --ignored`.

mod git;

use std::path::{Path, PathBuf};
use std::process::Command;

use mock_gitlab::MockGitlab;

const PYTHON_GITLAB: &str = "python-gitlab==8.6.0";
/// The last release, of 2020; it reads its own version through `pkg_resources`, which newer setuptools lack.
const GITLAB_RUNNER_API: [&str; 2] = ["gitlab-runner-api==1.0.4", "setuptools<81"];
const GITBEAKER: &str = "@gitbeaker/rest@43.8.0";

/// A folder that outlives the run.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder below the target folder");
    folder
}

/// Runs a command to its end; its output is the message if it fails.
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/interop")
        .join(name)
}

/// The interpreter of a virtual environment with these packages.
fn python(name: &str, packages: &[&str]) -> PathBuf {
    let environment = folder(name);
    let python = environment.join("bin/python");
    if !python.exists() {
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment));
    }
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .arg("--disable-pip-version-check")
        .args(packages));
    python
}

/// python-gitlab makes a runner and a pipeline, watches a job, reads its log and artifacts, cancels and
/// retries.
#[test]
#[ignore = "needs PyPI; .ci/run plays it"]
fn python_gitlab() {
    let python = python("python-gitlab", &[PYTHON_GITLAB]);
    let gitlab = MockGitlab::start().expect("a server");
    let said = run(Command::new(python)
        .arg(script("python_gitlab.py"))
        .args([gitlab.url(), gitlab.admin_token()]));
    assert_eq!(said.trim(), "ok");
}

/// gitlab-runner-api is a runner: it registers, takes jobs, writes their log, ends them, is cancelled.
#[test]
#[ignore = "needs PyPI; .ci/run plays it"]
fn gitlab_runner_api() {
    let [runner, setuptools] = GITLAB_RUNNER_API;
    let python = python("gitlab-runner-api", &[PYTHON_GITLAB, runner, setuptools]);
    let gitlab = MockGitlab::start().expect("a server");
    let said = run(Command::new(python).arg(script("runner_api.py")).args([
        gitlab.url(),
        &gitlab.registration_token(),
        gitlab.admin_token(),
    ]));
    assert_eq!(said.trim(), "ok");
}

/// @gitbeaker/rest does the same.
#[test]
#[ignore = "needs npm; .ci/run plays it"]
fn gitbeaker() {
    let modules = folder("gitbeaker");
    run(Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(&modules)
        .arg(GITBEAKER));
    let gitlab = MockGitlab::start().expect("a server");
    let said = run(Command::new("node")
        .arg(script("gitbeaker.mjs"))
        .arg(&modules)
        .args([gitlab.url(), gitlab.admin_token()]));
    assert_eq!(said.trim(), "ok");
}
