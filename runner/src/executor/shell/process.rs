//! One shell process from start to end (runner.md 5.2, RUN-JOB-26, RUN-JOB-27, RUN-JOB-28).

use std::cell::RefCell;
use std::io::{Seek as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::signal_name::signal_name;
use super::watchdog::Watchdog;
use crate::executor::{ExecutorError, ManagerLines, OutputSink, StageOutput};

/// How long a process that was told to end is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// Time between SIGTERM and SIGKILL.
    pub(super) graceful: Duration,
    /// Time that it may live after SIGKILL.
    pub(super) force: Duration,
}

/// The shell executor's, which cannot be configured (EXE-SHL-04).
pub(super) const PATIENCE: Patience = Patience {
    graceful: Duration::from_mins(10),
    force: Duration::from_secs(10),
};
/// Most bytes of one read.
const READ_BYTES: usize = 128 * 1024;
/// What fits in a pipe as it is made.
const PIPE_BYTES: usize = 64 * 1024;
/// What shall fit in the pipe of a job that writes much.
#[cfg(target_os = "linux")]
const LARGE_PIPE_BYTES: i32 = 256 * 1024;

/// Runs `program` with `script` on its standard input until it has ended and nobody holds its output
/// any more.
pub(super) async fn run(
    program: &[String],
    script: &str,
    mut output: StageOutput,
    lines: &dyn ManagerLines,
    watchdog: &Watchdog,
    cancel: &CancellationToken,
    patience: Patience,
) -> Result<(), ExecutorError> {
    let failed = |what: &dyn std::fmt::Display| {
        ExecutorError::system(format!("failed to start process: {what}"))
    };
    let (name, arguments) = program
        .split_first()
        .ok_or_else(|| failed(&"no shell is configured"))?;
    // A file instead of a pipe: a shell reads a pipe byte by byte.
    let mut input = watchdog.script_file().map_err(|error| failed(&error))?;
    input
        .write_all(script.as_bytes())
        .and_then(|()| input.rewind())
        .map_err(|error| failed(&error))?;
    let mut command = Command::new(name);
    command
        .args(arguments)
        .stdin(Stdio::from(input))
        .process_group(0);
    let (out, err) = pipes(&mut command).map_err(|error| failed(&error))?;
    let mut child = command
        .spawn()
        .map_err(|error| failed(&format_args!("{name}: {error}")))?;
    // It holds the writing ends of the pipes.
    drop(command);
    let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) else {
        return Err(failed(&"no process id"));
    };
    let group = watchdog.watch(id);

    let ended = async {
        let copy_out = copy(out, output.out.as_mut());
        let copy_err = copy(err, output.err.as_mut());
        let (status, (), ()) = tokio::join!(child.wait(), copy_out, copy_err);
        status
    };
    tokio::pin!(ended);
    let status = tokio::select! {
        biased;
        status = &mut ended => status,
        () = cancel.cancelled() => {
            terminate(id, lines);
            let deadline = Instant::now() + patience.graceful;
            if let Ok(status) = tokio::time::timeout_at(deadline, &mut ended).await {
                status
            } else {
                force_kill(id, lines);
                let Ok(status) = tokio::time::timeout(patience.force, &mut ended).await else {
                    return Err(ExecutorError::system(format!(
                        "failed to kill process PID={id}, likely process is dormant"
                    )));
                };
                status
            }
        }
    };
    group.ended();
    judge(status.map_err(|error| ExecutorError::system(error.to_string()))?)
}

/// Gives the command pipes for its output; their reading ends.
fn pipes(command: &mut Command) -> std::io::Result<(Receiver, Receiver)> {
    let (out, out_writer) = std::io::pipe()?;
    let (err, err_writer) = std::io::pipe()?;
    command.stdout(out_writer).stderr(err_writer);
    Ok((
        Receiver::from_owned_fd(out.into())?,
        Receiver::from_owned_fd(err.into())?,
    ))
}

thread_local! {
    /// What was just read. One for each thread: hundreds of jobs that wait need no memory for it.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Copies one stream until its end. A read error ends it like its end does.
async fn copy(mut stream: Receiver, sink: &mut dyn OutputSink) {
    let mut is_large = false;
    while stream.readable().await.is_ok() {
        let read = BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(READ_BYTES, 0);
            let read = stream.try_read(buffer);
            if let Ok(length @ 1..) = read {
                sink.write(&buffer[..length]);
            }
            read
        });
        match read {
            Ok(0) => return,
            Ok(length) if length >= PIPE_BYTES && !is_large => {
                is_large = true;
                enlarge(&mut stream);
            }
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return,
            // A job that writes without end must not keep others, or its own end, from their turn.
            _ => tokio::task::consume_budget().await,
        }
    }
}

/// Lets more wait in a pipe that was found full. Where the system does not want that, it stays as it is.
#[cfg(target_os = "linux")]
fn enlarge(stream: &mut Receiver) {
    use nix::fcntl::{FcntlArg, fcntl};

    let _ = fcntl(&*stream, FcntlArg::F_SETPIPE_SZ(LARGE_PIPE_BYTES));
}

#[cfg(not(target_os = "linux"))]
fn enlarge(_: &mut Receiver) {}

/// SIGTERM to the whole group; if that fails, SIGKILL at once.
fn terminate(group: i32, lines: &dyn ManagerLines) {
    if let Err(error) = killpg(Pid::from_raw(group), Signal::SIGTERM) {
        lines.warningln(&format!("Failed to terminate process: {}", describe(error)));
        force_kill(group, lines);
    }
}

fn force_kill(group: i32, lines: &dyn ManagerLines) {
    if let Err(error) = killpg(Pid::from_raw(group), Signal::SIGKILL) {
        lines.warningln(&format!("Failed to force-kill: {}", describe(error)));
    }
}

/// Go's words for the errors that can happen here.
fn describe(error: Errno) -> String {
    match error {
        Errno::ESRCH => "no such process".to_owned(),
        Errno::EPERM => "operation not permitted".to_owned(),
        other => other.desc().to_lowercase(),
    }
}

/// What the end of the shell means.
fn judge(status: ExitStatus) -> Result<(), ExecutorError> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(ExecutorError::script(code, format!("exit status {code}"))),
        (None, Some(signal)) => Err(ExecutorError::script(
            -1,
            format!("signal: {}", signal_name(signal)),
        )),
        (None, None) => Err(ExecutorError::system(status.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    impl ManagerLines for Silent {
        fn println(&self, _: &str) {}
        fn infoln(&self, _: &str) {}
        fn warningln(&self, _: &str) {}
        fn errorln(&self, _: &str) {}
    }

    /// Runs a script in bash and cancels it as soon as it has printed something.
    async fn cancelled(script: &str, force: Duration) -> Result<(), ExecutorError> {
        let cancel = CancellationToken::new();
        let ready = cancel.clone();
        let output = StageOutput {
            out: Box::new(move |_: &[u8]| ready.cancel()),
            ..StageOutput::discard()
        };
        let patience = Patience {
            graceful: Duration::from_millis(100),
            force,
        };
        let program = ["bash".to_owned()];
        let watchdog = Watchdog::new();
        run(
            &program, script, output, &Silent, &watchdog, &cancel, patience,
        )
        .await
    }

    /// A process that ignores SIGTERM is killed; what holds its output outside of its group is given
    /// up.
    ///
    /// Proves EXE-SHL-04, RUN-JOB-26.
    #[tokio::test]
    async fn terminated_killed_given_up() {
        assert_eq!(PATIENCE.graceful, Duration::from_mins(10));
        assert_eq!(PATIENCE.force, Duration::from_secs(10));
        let ignores = "trap '' TERM; echo ready; sleep 1000";
        let error = cancelled(ignores, Duration::from_hours(1))
            .await
            .unwrap_err();
        assert_eq!(
            (error.message.as_str(), error.exit_code),
            ("signal: killed", -1)
        );

        // `exec` keeps the pid, so the session of its own can be ended afterwards.
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!(
            "setsid bash -c 'echo $$ > {}; echo ready; exec sleep 1000' & wait; sleep 1000",
            file.path().display()
        );
        let error = cancelled(&script, Duration::from_millis(100))
            .await
            .unwrap_err();
        assert!(
            error.message.starts_with("failed to kill process PID="),
            "{error}"
        );
        assert!(
            error.message.ends_with(", likely process is dormant"),
            "{error}"
        );
        assert_eq!(error.kind, crate::executor::ErrorKind::System);
        let escaped = std::fs::read_to_string(file.path()).unwrap();
        let escaped = Pid::from_raw(escaped.trim().parse().unwrap());
        nix::sys::signal::kill(escaped, Signal::SIGKILL).unwrap();
    }
}
