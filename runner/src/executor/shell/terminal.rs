//! Web terminals: a shell of its own in a new pty, beside the job (executors.md 9, EXE-SES-03).

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use pty_process::Pty;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::watchdog::{Group, Watchdog};
use crate::client::transport::BoxFuture;
use crate::executor::{Terminal, TerminalConnection};

/// How long a shell may take to end after its terminal was hung up.
const HANG_UP: Duration = Duration::from_secs(1);
/// How long what was killed may take to be gone, and how often that is looked at.
const KILLED: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);
/// How often processes of the terminal are looked for: one may start another while it is killed.
const SWEEPS: usize = 3;

/// Starts shells in the manager's working directory and environment; no job variable is there.
#[derive(Clone, Debug)]
pub(super) struct ShellTerminal {
    /// The command line of the job's shell.
    pub(super) program: Vec<String>,
    pub(super) working_directory: PathBuf,
    pub(super) watchdog: Watchdog,
}

impl Terminal for ShellTerminal {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn TerminalConnection>, String>> {
        let connection = self
            .start()
            .map(|connection| Box::new(connection) as Box<dyn TerminalConnection>);
        Box::pin(async { connection })
    }
}

impl ShellTerminal {
    fn start(&self) -> Result<ShellConnection, String> {
        let (name, arguments) = self.program.split_first().ok_or("no shell is configured")?;
        let (pty, pts) = pty_process::open().map_err(|error| format!("pty: {error}"))?;
        let mut child = pty_process::Command::new(name)
            .args(arguments)
            .current_dir(&self.working_directory)
            .spawn(pts)
            .map_err(|error| format!("{name}: {error}"))?;
        // The shell leads a session and a process group of its own, both with its process id.
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .ok_or("no process id")?;
        let gone = CancellationToken::new();
        let shell = Shell {
            id,
            gone: gone.clone(),
            group: Some(self.watchdog.watch(id)),
        };
        tokio::spawn(async move {
            let _ = child.wait().await;
            gone.cancel();
        });
        Ok(ShellConnection {
            pty,
            ended: Box::pin(shell.gone.clone().cancelled_owned()),
            shell,
        })
    }
}

/// A shell in a pty.
struct ShellConnection {
    pty: Pty,
    /// The shell has ended. What it has started may hold the pty still, which then shows no end.
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    shell: Shell,
}

/// The shell's process, which ends when this is dropped.
struct Shell {
    id: i32,
    /// It has ended, and was waited for.
    gone: CancellationToken,
    /// `None`: killed.
    group: Option<Group>,
}

impl fmt::Debug for ShellConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShellConnection")
            .field("id", &self.shell.id)
            .finish_non_exhaustive()
    }
}

impl TerminalConnection for ShellConnection {
    fn address(&self) -> &'static str {
        "shell"
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let ShellConnection { pty, mut shell, .. } = *self;
            // The kernel sends SIGHUP to the shell and to what runs in the foreground; the shell sends it
            // on to the rest.
            drop(pty);
            let _ = tokio::time::timeout(HANG_UP, shell.gone.cancelled()).await;
            shell.kill();
            shell.gone.cancelled().await;
            // A process that was killed takes a moment to end.
            let end = Instant::now() + KILLED;
            while !processes_of_session(shell.id).is_empty() && Instant::now() < end {
                tokio::time::sleep(LOOK).await;
            }
        })
    }
}

impl Shell {
    /// Kills what is left of the terminal's session, which does without asking.
    fn kill(&mut self) {
        let Some(group) = self.group.take() else {
            return;
        };
        // Gone already, as a rule.
        let _ = killpg(Pid::from_raw(self.id), Signal::SIGKILL);
        for _ in 0..SWEEPS {
            let left = processes_of_session(self.id);
            if left.is_empty() {
                break;
            }
            for process in left {
                let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
            }
        }
        group.ended();
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Processes of the session `id`. An interactive shell gives each of its jobs a group of its own, so the
/// group of the shell is not all. Where there is no `/proc`, none.
fn processes_of_session(id: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|process| {
            std::fs::read_to_string(format!("/proc/{process}/stat"))
                .is_ok_and(|stat| is_alive_in_session(&stat, id))
        })
        .collect()
}

/// Whether `/proc/<pid>/stat` is that of a process of session `id` that has not ended.
fn is_alive_in_session(stat: &str, id: i32) -> bool {
    // `pid (name) state ppid pgrp session …`; the name may hold anything.
    let Some((_, rest)) = stat.rsplit_once(") ") else {
        return false;
    };
    let mut fields = rest.split(' ');
    let state = fields.next();
    let session = fields.nth(2).and_then(|field| field.parse().ok());
    !matches!(state, Some("Z" | "X")) && session == Some(id)
}

impl AsyncRead for ShellConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended.as_mut().poll(cx).is_ready() {
            // What it has printed is read first.
            let left = Pin::new(&mut self.pty).poll_read(cx, buf);
            return if left.is_pending() {
                Poll::Ready(Err(Errno::EIO.into()))
            } else {
                left
            };
        }
        Pin::new(&mut self.pty).poll_read(cx, buf)
    }
}

impl AsyncWrite for ShellConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pty).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pty).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pty).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    use super::*;

    fn terminal(program: &[&str]) -> ShellTerminal {
        ShellTerminal {
            program: program.iter().map(|&word| word.to_owned()).collect(),
            working_directory: "/".into(),
            watchdog: Watchdog::new(),
        }
    }

    fn lives(process: i32) -> bool {
        std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| {
            !stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .starts_with(" Z")
        })
    }

    /// The processes that the shell has printed: itself, one in the background, one that ignores the
    /// hang-up.
    async fn start() -> (ShellConnection, Vec<i32>) {
        let mut connection = terminal(&["bash", "--norc", "-i"]).start().unwrap();
        connection
            .write_all(b"sleep 1000 & one=$!; nohup sleep 1001 & echo got $$ $one $! end\n")
            .await
            .unwrap();
        let mut lines = BufReader::new(&mut connection).lines();
        let processes = loop {
            let line = lines.next_line().await.unwrap().unwrap();
            let numbers: Vec<i32> = line
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect();
            // The command itself is echoed, without numbers.
            if line.contains("got ") && numbers.len() == 3 {
                break numbers;
            }
        };
        assert_eq!(processes[0], connection.shell.id);
        assert!(processes.iter().all(|process| lives(*process)));
        (connection, processes)
    }

    /// Goal: when a terminal is closed nothing of it is left, not even in a group of its own or without an
    /// ear for SIGHUP.
    #[tokio::test]
    async fn nothing_is_left() {
        let (connection, processes) = start().await;
        Box::new(connection).close().await;
        assert!(
            !processes.iter().any(|process| lives(*process)),
            "{processes:?}"
        );
    }

    /// Goal: the same without waiting.
    #[tokio::test]
    async fn nothing_is_left_when_dropped() {
        let (connection, processes) = start().await;
        drop(connection);
        let gone = async {
            while processes.iter().any(|process| lives(*process)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone)
            .await
            .unwrap();
    }

    /// Goal: a shell that cannot be started is an error that names it.
    #[tokio::test]
    async fn no_shell() {
        let error = terminal(&["/nonexistent/shell"]).start().unwrap_err();
        assert!(error.starts_with("/nonexistent/shell: "), "{error}");
    }

    /// Goal: names with brackets and spaces do not hide a process, and one that has ended counts no more.
    #[test]
    fn the_session_of_a_process() {
        assert!(is_alive_in_session("7 (a) b) (c) S 1 7 42 0", 42));
        assert!(!is_alive_in_session("7 (a) S 1 42 7 42", 42));
        assert!(!is_alive_in_session("7 (a) Z 1 7 42 0", 42));
        assert!(!is_alive_in_session("", 42));
    }
}
