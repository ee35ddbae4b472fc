//! Processes of the shell executor: signals, groups and who is waited for (runner.md 5.2).

use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::shell::section;
use super::support::{Ran, TestJob};

/// Waits until `file` holds a whole line.
async fn line_of(file: &Path) -> String {
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Waits until a process is gone. One that never goes hangs the test, which is the failure.
async fn gone(id: i32) {
    while kill(Pid::from_raw(id), None) != Err(Errno::ESRCH) && !is_zombie(id) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// In a container nobody may collect orphans.
fn is_zombie(id: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

/// Runs a job and aborts it as soon as it has written the file `ready` in its folder.
async fn aborted(folder: &Path, commands: &[&str]) -> Ran {
    let job = TestJob::new()
        .variable("READY", &folder.join("ready").display().to_string())
        .script(commands);
    let abort = job.signals.abort.clone();
    let ready = folder.join("ready");
    let (ran, ()) = tokio::join!(job.in_bash(folder), async {
        line_of(&ready).await;
        abort.cancel();
    });
    ran
}

/// The shell, what it waits for and what runs in its background all get SIGTERM.
///
/// Proves RUN-JOB-26, EXE-SHL-03.
#[tokio::test]
async fn an_abort_reaches_the_whole_group() {
    let folder = tempfile::tempdir().expect("temp");
    let ran = aborted(
        folder.path(),
        &["sleep 1000 >/dev/null 2>&1 & echo $! > $READY.1; ps -o pgid= -p $$ | tr -d ' '; echo \"own $$\"; \
           echo now > $READY; sleep 1000"],
    )
    .await;
    assert_eq!(ran.failure(), ("canceled", "job_canceled", 0));
    let background = line_of(&folder.path().join("ready.1")).await;
    gone(background.parse().expect("process id")).await;
    let output = section(&ran, "step_script");
    let mut lines = output.lines().skip(1);
    let group = lines.next().unwrap_or_default();
    assert_eq!(
        lines.next(),
        Some(format!("own {group}").as_str()),
        "the shell leads its group: {output}"
    );
}

/// Proves RUN-SH-06.
#[tokio::test]
async fn an_abort_does_not_print_the_script() {
    let folder = tempfile::tempdir().expect("temp");
    let ran = aborted(
        folder.path(),
        &["secret_name=1", "echo now > $READY; sleep 1000"],
    )
    .await;
    let output = section(&ran, "step_script");
    assert_eq!(
        output.matches("secret_name").count(),
        1,
        "only the command as shown: {output}"
    );
    assert!(!output.contains("export "), "{output}");
}

/// Proves RUN-JOB-27.
#[tokio::test]
async fn a_stage_lasts_until_its_output_is_closed() {
    let folder = tempfile::tempdir().expect("temp");
    let job = TestJob::new().script(&["(sleep 0.3; echo late) & exit 3"]);
    let ran = job.in_bash(folder.path()).await;
    assert!(
        section(&ran, "step_script").ends_with("\nlate\n"),
        "{}",
        ran.text()
    );
    assert_eq!(ran.failure(), ("exit status 3", "script_failure", 3));
}

/// Proves RUN-JOB-28.
#[tokio::test]
async fn a_killed_shell_has_no_exit_code() {
    let folder = tempfile::tempdir().expect("temp");
    for (signal, name) in [("KILL", "killed"), ("SEGV", "segmentation fault")] {
        let job = TestJob::new().script(&[&format!("kill -{signal} $$")]);
        let ran = job.in_bash(folder.path()).await;
        let message = format!("signal: {name}");
        assert_eq!(ran.failure(), (message.as_str(), "script_failure", -1));
    }
}
