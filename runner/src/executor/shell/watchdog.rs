use std::fs::File;
use std::io::{self, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Reads `+<group>` and `-<group>` lines, and `.` before a planned end. When its input ends, the manager
/// is gone: what is left is told to end, and killed a little later. Signals to the manager's own group do
/// not reach it.
///
/// The manager can die between the start of a shell and the line that names it. Such a shell reads a
/// script whose file has `$1` in its name, and leads its group; where there is `/proc`, that finds it. It
/// is looked for a second time because a process that was just forked has no script yet.
const SCRIPT: &str = r#"trap '' INT TERM QUIT HUP
groups=' '
planned=
while read -r line; do
  id=${line#?}
  case $line in
    +*) groups="$groups$id " ;;
    -*) case $groups in *" $id "*) groups="${groups%% $id *} ${groups#* $id }" ;; esac ;;
    .) planned=yes ;;
  esac
done
[ -n "$planned" ] && [ -z "${groups# }" ] && exit 0
unnamed() {
  ls -l /proc/[0-9]*/fd/0 2>/dev/null | while read -r line; do
    case $line in
      *" -> "*[/:]"$1"*) id=${line#*/proc/}; echo "${id%%/*}" ;;
    esac
  done
}
for id in $groups $(unnamed "$1"); do kill -TERM "-$id" 2>/dev/null; done
sleep 1
for id in $groups $(unnamed "$1"); do kill -KILL "-$id" 2>/dev/null; done
"#;

/// Kills the process groups of running stages when the manager dies, even by SIGKILL.
///
/// A signal on the parent's death (`PR_SET_PDEATHSIG`) would need unsafe code between fork and exec, would
/// reach the shell only, not what it started, and would come at the death of the thread that forked.
/// Instead one small process, shared by all jobs of the manager, holds the reading end of a pipe whose
/// writing end only the manager has; it knows the groups and kills them when the pipe is closed. A clone is
/// the same watchdog.
#[derive(Clone, Debug)]
pub struct Watchdog {
    inner: Arc<Mutex<Option<Running>>>,
    /// How the names of script files begin.
    mark: Arc<str>,
}

impl Default for Watchdog {
    fn default() -> Self {
        Watchdog::new()
    }
}

#[derive(Debug)]
struct Running {
    input: ChildStdin,
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without groups there is nothing to look for.
        let _ = self.input.write_all(b".\n");
    }
}

impl Watchdog {
    /// A watchdog that starts with the first script.
    pub fn new() -> Self {
        let number: u64 = rand::random();
        Watchdog {
            inner: Arc::default(),
            mark: format!("gitlab-runner-script-{number:016x}-").into(),
        }
    }

    /// An empty file for the script of a shell that is about to start, without a name that anybody could
    /// open. From now on the shell is seen to, whenever the manager dies.
    pub(super) fn script_file(&self) -> io::Result<File> {
        let mut inner = self.locked();
        if inner.is_none() {
            *inner = start(&self.mark);
        }
        drop(inner);
        nameless_file(&self.mark)
    }

    /// Watches the group `id` until the guard is dropped.
    #[must_use = "the group is watched only while the guard lives"]
    pub(super) fn watch(&self, id: i32) -> Group {
        self.tell('+', id);
        Group {
            watchdog: self.clone(),
            id,
            ended: false,
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Running>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, sign: char, id: i32) {
        let mut inner = self.locked();
        if inner.is_none() {
            *inner = start(&self.mark);
        }
        let Some(running) = inner.as_mut() else {
            return;
        };
        // One write: a line is there as a whole or not at all.
        if running
            .input
            .write_all(format!("{sign}{id}\n").as_bytes())
            .is_err()
        {
            // Somebody killed it; the next script gets a new one.
            let _ = running.child.wait();
            *inner = None;
        }
    }
}

/// In memory: to make a file on disk costs as much as to start a process.
#[cfg(target_os = "linux")]
fn nameless_file(mark: &str) -> io::Result<File> {
    use nix::sys::memfd::{MFdFlags, memfd_create};

    match memfd_create(mark, MFdFlags::MFD_CLOEXEC) {
        Ok(file) => Ok(file.into()),
        Err(_) => file_on_disk(mark),
    }
}

#[cfg(not(target_os = "linux"))]
fn nameless_file(mark: &str) -> io::Result<File> {
    file_on_disk(mark)
}

fn file_on_disk(mark: &str) -> io::Result<File> {
    let file = tempfile::Builder::new().prefix(mark).tempfile()?;
    Ok(file.into_file())
}

fn start(mark: &str) -> Option<Running> {
    match spawn(mark) {
        Ok(mut child) => child.stdin.take().map(|input| Running { input, child }),
        Err(error) => {
            tracing::warn!(%error, "Stages will not be stopped if this process is killed");
            None
        }
    }
}

fn spawn(mark: &str) -> io::Result<Child> {
    use std::os::unix::process::CommandExt as _;

    Command::new("sh")
        .args(["-c", SCRIPT, "watchdog", mark])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// The process group of a running shell.
#[derive(Debug)]
pub(super) struct Group {
    watchdog: Watchdog,
    id: i32,
    ended: bool,
}

impl Group {
    /// The shell has ended, and what it started may live on.
    pub(super) fn ended(mut self) {
        self.ended = true;
    }
}

impl Drop for Group {
    /// Nobody waits for the shell any more: the whole group is killed.
    fn drop(&mut self) {
        if !self.ended {
            // A group that is gone needs no signal.
            let _ = killpg(Pid::from_raw(self.id), Signal::SIGKILL);
        }
        self.watchdog.tell('-', self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Seek as _};
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};

    use super::*;

    /// A shell in a group of its own that has read `script`.
    fn shell(mut file: File, script: &str) -> Child {
        file.write_all(script.as_bytes()).expect("script");
        file.rewind().expect("script");
        let mut child = Command::new("bash")
            .stdin(Stdio::from(file))
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("bash");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout");
        BufReader::new(stdout).read_line(&mut line).expect("line");
        assert_eq!(line, "ready\n");
        child
    }

    /// The manager was killed after the start of a shell, before it could name its group.
    #[test]
    fn a_shell_that_nobody_named_is_found() {
        if !std::path::Path::new("/proc/self/fd/0").exists() {
            eprintln!("skipped: there is no /proc here");
            return;
        }
        let watchdog = Watchdog::new();
        let other = Watchdog::new();
        let file = watchdog.script_file().expect("file");
        let mut unnamed = shell(file, "trap '' TERM; echo ready; sleep 1000\n");
        let file = other.script_file().expect("file");
        let mut foreign = shell(file, "echo ready; sleep 1000\n");
        // A second process that reads lines as the first does, but whose manager dies.
        let mut reader = spawn(&watchdog.mark).expect("watchdog");
        drop(reader.stdin.take());
        assert_eq!(unnamed.wait().expect("end").signal(), Some(9));
        assert!(reader.wait().expect("end").code().is_some());
        assert_eq!(foreign.try_wait().expect("state"), None, "not its own");
        drop(other.watch(i32::try_from(foreign.id()).expect("id")));
        assert_eq!(foreign.wait().expect("end").signal(), Some(9));
    }

    /// A group that has ended is not killed, whatever else was taken back.
    #[test]
    fn groups_are_forgotten_once() {
        let watchdog = Watchdog::new();
        let mut living = shell(
            tempfile::tempfile().expect("file"),
            "echo ready; sleep 1000\n",
        );
        let mut reader = spawn(&watchdog.mark).expect("watchdog");
        let id = living.id();
        let mut lines = reader.stdin.take().expect("stdin");
        write!(lines, "+{id}\n-1\n+2147483646\n-{id}\n").expect("lines");
        drop(lines);
        reader.wait().expect("end");
        assert_eq!(living.try_wait().expect("state"), None);
        killpg(
            Pid::from_raw(i32::try_from(id).expect("id")),
            Signal::SIGKILL,
        )
        .expect("kill");
        living.wait().expect("end");
    }
}
