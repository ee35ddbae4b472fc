use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads `+<group>` and `-<group>` lines. When its input ends, the manager is gone: what is left is
/// told to end, and killed a little later. Signals to the manager's own group do not reach it.
const SCRIPT: &str = r#"trap '' INT TERM QUIT HUP
groups=' '
while read -r line; do
  id=${line#?}
  case $line in
    +*) groups="$groups$id " ;;
    -*) groups="${groups%% $id *} ${groups#* $id }" ;;
  esac
done
for id in $groups; do kill -TERM "-$id" 2>/dev/null; done
[ -n "${groups# }" ] || exit 0
sleep 1
for id in $groups; do kill -KILL "-$id" 2>/dev/null; done
"#;

/// Kills the process groups of running stages when the manager dies, even by SIGKILL.
///
/// A signal on the parent's death (`PR_SET_PDEATHSIG`) would need unsafe code between fork and exec, and
/// would reach the shell only, not what it started. Instead one small process, shared by all jobs of the
/// manager, holds the reading end of a pipe whose writing end only the manager has; it knows the groups
/// and kills them when the pipe is closed. A clone is the same watchdog.
#[derive(Clone, Debug, Default)]
pub struct Watchdog {
    inner: Arc<Mutex<Option<Running>>>,
}

#[derive(Debug)]
struct Running {
    input: ChildStdin,
    child: Child,
}

impl Watchdog {
    /// A watchdog that starts with the first group.
    pub fn new() -> Self {
        Watchdog::default()
    }

    /// Watches the group `id` until the guard is dropped.
    #[must_use = "the group is watched only while the guard lives"]
    pub(super) fn watch(&self, id: i32) -> WatchGuard {
        self.tell('+', id);
        WatchGuard {
            watchdog: self.clone(),
            id,
        }
    }

    fn tell(&self, sign: char, id: i32) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.is_none() {
            *inner = start();
        }
        let Some(running) = inner.as_mut() else {
            return;
        };
        if writeln!(running.input, "{sign}{id}").is_err() {
            // Somebody killed it; the next group gets a new one.
            let _ = running.child.wait();
            *inner = None;
        }
    }
}

fn start() -> Option<Running> {
    use std::os::unix::process::CommandExt as _;

    let child = Command::new("sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    match child {
        Ok(mut child) => child.stdin.take().map(|input| Running { input, child }),
        Err(error) => {
            tracing::warn!(%error, "Stages will not be stopped if this process is killed");
            None
        }
    }
}

/// Ends the watch of one group.
#[derive(Debug)]
pub(super) struct WatchGuard {
    watchdog: Watchdog,
    id: i32,
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.watchdog.tell('-', self.id);
    }
}
