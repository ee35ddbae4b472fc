//! The manager's side of web terminals: the session server, and the session that goes with each poll
//! (runner.md 4.2 step 5, 13).

use std::sync::{Arc, Mutex, PoisonError};

use protocol::JobRequest;
use tokio_util::sync::DropGuard;

use super::options::ManagerOptions;
use super::serving::Serving;
use crate::client::{JobRequestResult, Poll};
use crate::config::Config;
use crate::logging;
use crate::session::{Session, SessionServer, SessionSettings, Sessions};

/// Starts the session server, if one is configured; it serves until the guard is dropped. An error ends
/// the process.
pub(super) async fn start(
    serving: &Serving,
    config: &Config,
    options: &ManagerOptions,
) -> Result<Option<(Sessions, DropGuard)>, String> {
    let (builds, max_builds) = (0, config.concurrent());
    let Some(settings) = SessionSettings::of(config) else {
        tracing::info!(
            builds,
            max_builds,
            "[session_server].listen_address not defined, session endpoints disabled"
        );
        return Ok(None);
    };
    if matches!(serving, Serving::Off) {
        tracing::warn!(
            builds,
            max_builds,
            "[session_server] has no effect in virtual time"
        );
        return Ok(None);
    }
    let (random, clock) = (options.random.clone(), Arc::clone(&options.clock));
    let server = SessionServer::listen(&settings, random, clock)
        .await
        .map_err(|error| error.to_string())?;
    let sessions = server.sessions().clone();
    sessions.set_counts(builds, max_builds);
    let guard = sessions.stop_guard();
    let address = server.address().to_owned();
    drop(logging::spawn(server.serve()));
    tracing::info!(address, builds, max_builds, "Session server listening");
    Ok(Some((sessions, guard)))
}

/// A poll with the session that it offers.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) session: Arc<Session>,
    pub(super) poll: Poll,
}

/// Sessions that an entry's polls offer, each by one poll at a time.
///
/// A session is used up by a job, and only an answer that certainly brought none lets another poll offer
/// it again: a job that was lost on the way may have it. So an idle entry has as many sessions as polls
/// at once, and encodes its poll no more often than one without sessions.
#[derive(Debug)]
pub(super) struct Offers {
    sessions: Sessions,
    /// The poll without a session.
    request: JobRequest,
    unused: Mutex<Vec<Offer>>,
}

impl Offers {
    /// Offers of an entry whose polls are `request`.
    pub(super) fn new(sessions: Sessions, request: JobRequest) -> Self {
        Offers {
            sessions,
            request,
            unused: Mutex::default(),
        }
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// A session that no other poll offers.
    pub(super) fn take(&self) -> Offer {
        let unused = self.lock().pop();
        unused.unwrap_or_else(|| {
            let session = self.sessions.offer();
            let poll = Poll::new(JobRequest {
                session: Some(self.sessions.request(&session)),
                ..self.request.clone()
            });
            Offer { session, poll }
        })
    }

    /// The poll is over.
    pub(super) fn give_back(&self, offer: Offer, result: &JobRequestResult) {
        if matches!(result, JobRequestResult::NoJob) {
            self.lock().push(offer);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Offer>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
