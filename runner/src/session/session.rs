use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use subtle::ConstantTimeEq as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::executor::Terminal;

/// How long somebody who wants a terminal waits for the job to have one.
const READY: Duration = Duration::from_mins(1);

/// Where a web terminal reaches one job.
pub struct Session {
    /// `/session/<64 hex digits>`.
    path: String,
    /// 64 hex digits.
    token: String,
    /// `builds` and `max_builds` of its records: those of the moment at which it was made.
    counts: (usize, i64),
    state: watch::Sender<State>,
    closed: CancellationToken,
    why_closed: OnceLock<String>,
}

#[derive(Default)]
struct State {
    /// The job's terminal, once the job is ready for one.
    terminal: Option<Arc<dyn Terminal>>,
    /// Whether somebody has it, or had it and its shell is not gone yet.
    taken: bool,
    /// Whether a client is there.
    connected: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the token.
        f.debug_struct("Session")
            .field("path", &self.path)
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session that ends with `closed` at the latest.
    pub(super) fn new(
        path: String,
        token: String,
        counts: (usize, i64),
        closed: CancellationToken,
    ) -> Arc<Session> {
        Arc::new(Session {
            path,
            token,
            counts,
            state: watch::Sender::default(),
            closed,
            why_closed: OnceLock::new(),
        })
    }

    /// `/session/<64 hex digits>`.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn counts(&self) -> (usize, i64) {
        self.counts
    }

    /// Whether `authorization`, a whole header, is the token. Takes as long for every wrong one of its
    /// length.
    pub(super) fn authorizes(&self, authorization: Option<&[u8]>) -> bool {
        authorization.is_some_and(|given| given.ct_eq(self.token.as_bytes()).into())
    }

    /// The job is ready for a terminal.
    pub fn set_terminal(&self, terminal: Arc<dyn Terminal>) {
        self.state
            .send_modify(|state| state.terminal = Some(terminal));
    }

    /// The job's terminal; waits a minute for it at the most. `None`: there is none.
    pub(super) async fn terminal(&self) -> Option<Arc<dyn Terminal>> {
        let mut state = self.state.subscribe();
        let ready = tokio::time::timeout(READY, state.wait_for(|state| state.terminal.is_some()));
        tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            ready = ready => ready.ok()?.ok()?.terminal.clone(),
        }
    }

    /// Takes the terminal, which one client can have at a time (RUN-MON-03); `None`: somebody has it.
    pub fn take(self: &Arc<Self>) -> Option<TerminalSlot> {
        let free = self
            .state
            .send_if_modified(|state| !std::mem::replace(&mut state.taken, true));
        free.then(|| TerminalSlot {
            session: Arc::clone(self),
            connected: false,
        })
    }

    /// Whether somebody sits at the terminal.
    pub fn is_connected(&self) -> bool {
        self.state.borrow().connected
    }

    /// Waits until nobody sits at the terminal.
    pub async fn disconnected(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as this.
        let _ = state.wait_for(|state| !state.connected).await;
    }

    /// Waits until nothing of a terminal is left.
    pub async fn free(&self) {
        let mut state = self.state.subscribe();
        let _ = state.wait_for(|state| !state.taken).await;
    }

    /// Ends the terminal, and lets nobody in any more. The first reason counts.
    pub fn close(&self, why: &str) {
        let _ = self.why_closed.set(why.to_owned());
        self.closed.cancel();
    }

    /// Waits until it is closed; gives the reason.
    pub async fn closed(&self) -> String {
        self.closed.cancelled().await;
        let why = self.why_closed.get();
        why.map_or("the session server stops", String::as_str)
            .to_owned()
    }
}

/// Keeps the terminal of a session for one client.
#[must_use = "the terminal is free again when this is dropped"]
#[derive(Debug)]
pub struct TerminalSlot {
    session: Arc<Session>,
    connected: bool,
}

impl TerminalSlot {
    /// A terminal was started for the client.
    pub fn connected(&mut self) {
        self.connected = true;
        self.session
            .state
            .send_modify(|state| state.connected = true);
    }

    /// The client is gone; its terminal ends.
    pub(super) fn disconnected(&self) {
        self.session
            .state
            .send_modify(|state| state.connected = false);
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }
}

impl Drop for TerminalSlot {
    fn drop(&mut self) {
        if self.connected {
            let (builds, max_builds) = self.session.counts;
            tracing::warn!(
                builds,
                max_builds,
                uri = self.session.path,
                "Closed active terminal connection"
            );
        }
        self.session.state.send_modify(|state| {
            state.connected = false;
            state.taken = false;
        });
    }
}
