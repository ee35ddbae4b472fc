use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::session::Session;
use crate::random::Random;

/// Bytes of randomness in paths and tokens.
const RANDOM_BYTES: usize = 32;

/// Makes sessions, and knows those of running jobs. A clone is the same.
#[derive(Clone, Debug)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    /// `https://host:port`.
    url: String,
    /// The server's certificate, PEM.
    certificate: String,
    timeout: Duration,
    random: Random,
    /// By path.
    running: Mutex<BTreeMap<String, Arc<Session>>>,
    builds: AtomicUsize,
    max_builds: AtomicI64,
    stop: CancellationToken,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// Sessions of a server that is reached at `url` (`https://host:port`) and shows `certificate` (PEM).
    /// `timeout`: how long a job that has ended waits for its terminal.
    pub fn new(url: String, certificate: String, timeout: Duration, random: Random) -> Self {
        Sessions(Arc::new(Inner {
            url,
            certificate,
            timeout,
            random,
            running: Mutex::default(),
            builds: AtomicUsize::new(0),
            max_builds: AtomicI64::new(0),
            stop: CancellationToken::new(),
        }))
    }

    /// A new session, which no job has yet: nobody can reach it.
    pub fn offer(&self) -> Arc<Session> {
        let random = || self.0.random.hex(RANDOM_BYTES);
        Session::new(
            format!("/session/{}", random()),
            random(),
            self.counts(),
            self.0.stop.child_token(),
        )
    }

    /// What a poll tells of a session (wire.md 3.7).
    pub fn request(&self, session: &Session) -> protocol::job_request::Session {
        protocol::job_request::Session {
            url: format!("{}{}", self.0.url, session.path()),
            certificate: self.0.certificate.clone(),
            authorization: session.token().to_owned(),
        }
    }

    /// A job runs that has the session: from now on it can be reached.
    pub fn register(&self, session: &Arc<Session>) -> RegisteredSession {
        let path = session.path().to_owned();
        self.lock().insert(path, Arc::clone(session));
        RegisteredSession {
            sessions: self.clone(),
            session: Arc::clone(session),
            timeout: self.0.timeout,
        }
    }

    /// The session of a running job that `uri` is below.
    pub(super) fn find(&self, uri: &str) -> Result<Arc<Session>, String> {
        let running = self.lock();
        if running.is_empty() && self.counts().0 == 0 {
            return Err("no active builds found".to_owned());
        }
        // Two segments, and a slash behind them.
        let end = uri.match_indices('/').nth(2).map(|(at, _)| at);
        end.and_then(|end| running.get(&uri[..end]))
            .cloned()
            .ok_or_else(|| format!("no session found matching URL: {uri}"))
    }

    /// How many jobs run, and may run at a time, for the records.
    pub fn set_counts(&self, builds: usize, max_builds: i64) {
        self.0.builds.store(builds, Ordering::Relaxed);
        self.0.max_builds.store(max_builds, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> (usize, i64) {
        (
            self.0.builds.load(Ordering::Relaxed),
            self.0.max_builds.load(Ordering::Relaxed),
        )
    }

    /// Cancelled when the server stops.
    pub(super) fn stopped(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Ends all sessions and the server when it is dropped.
    #[must_use = "the server stops when this is dropped"]
    pub fn stop_guard(&self) -> DropGuard {
        self.0.stop.clone().drop_guard()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Session>>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session of a running job. When it is dropped, the session is closed and nobody finds it any more.
#[must_use = "the session ends when this is dropped"]
#[derive(Debug)]
pub struct RegisteredSession {
    sessions: Sessions,
    session: Arc<Session>,
    timeout: Duration,
}

impl RegisteredSession {
    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// How long the job waits for its terminal after its end.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl Drop for RegisteredSession {
    fn drop(&mut self) {
        self.sessions.lock().remove(self.session.path());
        self.session.close("the job has ended");
    }
}
