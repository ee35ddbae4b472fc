//! What the server's welcome tells a newcomer to do, done with real processes: serve, register, run; the
//! jobs clone a real repository.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mock_gitlab::MockGitlab;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::JobStatus;

/// The built program under another name: it is that program then.
fn program(folder: &Path, name: &str) -> PathBuf {
    let link = folder.join(name);
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_gauntlet"), &link).expect("link");
    }
    link
}

fn end(mut child: Child, signal: Signal) -> Option<i32> {
    kill(
        Pid::from_raw(i32::try_from(child.id()).expect("pid")),
        signal,
    )
    .expect("signal");
    child.wait().expect("end").code()
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("start");
    let text = super::program::text(&output);
    assert!(output.status.success(), "{text}");
    text
}

/// Proves RUN-CLI-06, RUN-GIT-02.
#[test]
fn serve_register_run() {
    let folder = tempfile::tempdir().expect("temp");
    let mut server = Command::new(program(folder.path(), "mock-gitlab"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("server");
    let mut lines = BufReader::new(server.stdout.take().expect("stdout")).lines();
    let register = lines
        .by_ref()
        .map(|line| line.expect("line"))
        .find(|line| line.trim_start().starts_with("gitlab-runner register"))
        .expect("a line to copy");
    let runner = program(folder.path(), "gitlab-runner");
    let args: Vec<&str> = register.split_whitespace().skip(1).collect();
    let text = run(Command::new(&runner).args(args).current_dir(folder.path()));
    assert!(text.contains("Runner registered successfully."), "{text}");
    assert_eq!(end(server, Signal::SIGTERM), Some(0));
    let list = run(Command::new(&runner)
        .args(["list", "--config", "config.toml"])
        .current_dir(folder.path()));
    assert!(list.contains("glrt-MockGitlabDemo00000000"), "{list}");
}

/// A job of a project with files has them; the log ends well and its checksum is the server's.
///
/// Proves RUN-GIT-02, RUN-LOG-11.
#[tokio::test]
async fn a_job_has_the_files_of_its_commit() {
    let folder = tempfile::tempdir().expect("temp");
    let gitlab = MockGitlab::start().expect("server");
    let project = gitlab
        .project("group/demo")
        .file("README.md", "cloned for real\n")
        .create()
        .expect("project");
    let token = gitlab.runner().create().expect("runner").token();
    let job = project
        .job("test")
        .script(["cat README.md", "git log --oneline"])
        .create()
        .expect("job");
    let config = format!(
        "concurrent = 1\n[[runners]]\nname = 'r'\nurl = '{}'\ntoken = '{token}'\nexecutor = 'shell'\n",
        gitlab.url()
    );
    std::fs::write(folder.path().join("config.toml"), config).expect("config");
    let runner = Command::new(program(folder.path(), "gitlab-runner"))
        .args(["run", "--config", "config.toml"])
        .current_dir(folder.path())
        // The profile of whoever runs the tests is none of theirs.
        .env("HOME", folder.path())
        .stderr(Stdio::null())
        .spawn()
        .expect("runner");
    let ended = job.wait_for_end().await;
    assert_eq!(end(runner, Signal::SIGQUIT), Some(0));
    assert_eq!(ended, Ok(JobStatus::Success), "{}", job.trace_text());
    let log = job.trace_text();
    for text in [
        "cloned for real",
        "Fetching changes with git depth set to 20...",
        "Job succeeded",
    ] {
        assert!(log.contains(text), "{text} is missing in:\n{log}");
    }
    let reported = gitlab.act(|world, _| world.reported_checksum(job.id()));
    let (checksum, size) = reported.expect("a final update");
    assert_eq!(
        checksum.to_string(),
        protocol::trace::checksum_of(&job.trace())
    );
    assert_eq!(size, job.trace().len() as u64);
}
