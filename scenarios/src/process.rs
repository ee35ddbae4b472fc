//! The runner under test as a child process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::Notify;

/// Name under which a runner is started. The program looks at it to know that it is a runner.
pub const RUNNER_NAME: &str = "gitlab-runner";

/// Which program is the runner under test.
#[derive(Clone, Debug)]
pub enum RunnerProgram {
    /// This project's own, inside the program at this path (`gauntlet`).
    Own(PathBuf),
    /// Somebody else's, or the official one (`--runner-binary`).
    Other(PathBuf),
}

impl RunnerProgram {
    /// The runner inside the running program.
    pub fn this() -> io::Result<RunnerProgram> {
        std::env::current_exe().map(RunnerProgram::Own)
    }

    /// Gives the path to start, making a link with the runner's name in `folder` where needed.
    pub fn link_in(&self, folder: &Path) -> io::Result<PathBuf> {
        match self {
            RunnerProgram::Other(path) => Ok(path.clone()),
            RunnerProgram::Own(path) => {
                std::fs::create_dir_all(folder)?;
                let link = folder.join(RUNNER_NAME);
                if !link.exists() {
                    std::os::unix::fs::symlink(path, &link)?;
                }
                Ok(link)
            }
        }
    }
}

/// What a process wrote, with a way to wait for it.
#[derive(Debug, Default)]
pub struct Terminal {
    bytes: Mutex<Vec<u8>>,
    changed: Notify,
}

impl Terminal {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was written so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock()).into_owned()
    }

    /// Waits until `condition` holds for what was written.
    pub async fn until(&self, condition: impl Fn(&str) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition(&self.text()) {
                return;
            }
            changed.await;
        }
    }

    async fn copy_from(&self, mut from: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 64 * 1024];
        // An error reads like the end: the process is gone.
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            self.lock().extend_from_slice(&buffer[..count]);
            self.changed.notify_waiters();
        }
    }
}

/// A running runner. It is killed when dropped.
#[derive(Debug)]
pub struct RunnerProcess {
    child: Child,
    terminal: Arc<Terminal>,
    copy: Option<tokio::task::JoinHandle<()>>,
}

/// Sends signals to a process.
#[derive(Clone, Copy, Debug)]
pub struct Signals(Option<u32>);

impl Signals {
    /// Sends one; nothing happens if the process had ended before this was made.
    pub fn send(self, signal: Signal) -> io::Result<()> {
        match self.0 {
            Some(id) => signal::kill(Pid::from_raw(id as i32), signal).map_err(io::Error::from),
            None => Ok(()),
        }
    }
}

/// How to start a runner.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// Program.
    pub program: &'a Path,
    /// Arguments.
    pub args: &'a [String],
    /// Working directory.
    pub folder: &'a Path,
    /// `HOME`, which decides about profiles and git's configuration.
    pub home: &'a Path,
    /// Further environment.
    pub environment: &'a [(String, String)],
    /// What is typed; `None` = standard input is at its end.
    pub input: Option<&'a str>,
}

impl RunnerProcess {
    /// Starts a runner with an environment that does not depend on the caller's, but for `PATH`.
    pub fn start(start: &Start<'_>) -> io::Result<RunnerProcess> {
        let mut command = Command::new(start.program);
        command
            .args(start.args)
            .current_dir(start.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", start.home)
            .env("LANG", "C.UTF-8")
            .envs(start.environment.iter().map(|(key, value)| (key, value)))
            .stdin(if start.input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .kill_on_drop(true);
        // One pipe, as a terminal is one, so that lines stay in the order in which they were written.
        let (reader, writer) = std::io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn()?;
        if let (Some(mut stdin), Some(text)) = (child.stdin.take(), start.input) {
            let text = text.to_owned();
            // A runner that ends before it has read all says itself why.
            tokio::spawn(async move { stdin.write_all(text.as_bytes()).await });
        }
        let terminal = Arc::new(Terminal::default());
        // Its own end of the pipe has to go, or the pipe never ends.
        drop(command);
        let reader = pipe::Receiver::from_owned_fd(reader.into())?;
        let copy = Arc::clone(&terminal);
        let copy = tokio::spawn(async move { copy.copy_from(reader).await });
        Ok(RunnerProcess {
            child,
            terminal,
            copy: Some(copy),
        })
    }

    /// What it wrote.
    pub fn terminal(&self) -> &Arc<Terminal> {
        &self.terminal
    }

    /// Sends a signal to the runner alone, not to its jobs.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        self.signals().send(signal)
    }

    /// A way to send signals while somebody waits for the process. It must not be used after its end.
    pub fn signals(&self) -> Signals {
        Signals(self.child.id())
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Waits until all that it wrote was read. Only useful after its end; a job that outlives the
    /// runner may hold its terminal open, so this waits at most one second.
    pub async fn drain(&mut self) {
        if let Some(copy) = self.copy.take() {
            let _ = tokio::time::timeout(std::time::Duration::from_secs(1), copy).await;
        }
    }
}
