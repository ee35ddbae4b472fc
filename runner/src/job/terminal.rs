//! The end of a job whose web terminal is still open (runner.md 5.1, 13).

use std::time::Duration;

use tokio::time::Instant;

use super::go_duration;
use super::log::LogSink;
use super::request::JobSignals;
use crate::session::RegisteredSession;

/// How long the shell of a closed terminal may take to be gone.
const GONE: Duration = Duration::from_secs(10);

/// Waits for an open terminal as long as `session_timeout` and the job's own time allow; then it is
/// closed, and gone when this returns. What ends jobs ends the wait.
pub(super) async fn wait(
    registered: RegisteredSession,
    signals: &JobSignals,
    log: &dyn LogSink,
    deadline: Instant,
) {
    let session = registered.session();
    let timeout = registered
        .timeout()
        .min(deadline.saturating_duration_since(Instant::now()));
    let is_over =
        signals.interrupt.is_raised() || signals.abort.is_cancelled() || timeout.is_zero();
    let mut why = "the job has ended".to_owned();
    if session.is_connected() && !is_over {
        let shown = go_duration::format(rounded(timeout));
        log.infoln(&format!(
            "Terminal is connected, will time out in {shown}..."
        ));
        tokio::select! {
            biased;
            signal = signals.interrupt.raised() => {
                log.infoln("Terminal disconnected");
                why = format!("terminal disconnected by system signal: {signal}");
            }
            () = signals.abort.cancelled() => {
                "build cancelled, killing session".clone_into(&mut why);
            }
            () = session.disconnected() => log.infoln("Terminal disconnected"),
            () = tokio::time::sleep(timeout) => {
                why = format!("terminal session timed out (maximum time allowed - {shown})");
                log.infoln(&why);
            }
        }
    }
    session.close(&why);
    // Whoever has the terminal lets go of it when its shell is gone.
    if tokio::time::timeout(GONE, session.free()).await.is_err() {
        log.warningln("The shell of the terminal did not end");
    }
}

/// To whole seconds, as in the log.
fn rounded(timeout: Duration) -> Duration {
    Duration::from_secs((timeout + Duration::from_millis(500)).as_secs())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;
    use crate::random::Random;
    use crate::session::{Session, Sessions};
    use crate::trace::{JobLog, LogOptions, Spool};

    const SESSION_TIMEOUT: Duration = Duration::from_mins(30);

    /// Who sits at the terminal.
    #[derive(Clone, Copy)]
    enum Client {
        Nobody,
        /// Leaves after so long.
        For(Duration),
        /// Leaves when the session is closed.
        Stays,
    }

    fn sit(session: &Arc<Session>, client: Client) {
        if matches!(client, Client::Nobody) {
            return;
        }
        let (session, mut slot) = (Arc::clone(session), session.take().unwrap());
        slot.connected();
        tokio::spawn(async move {
            match client {
                Client::For(length) => tokio::time::sleep(length).await,
                _ => drop(session.closed().await),
            }
            drop(slot);
        });
    }

    /// What a wait does: how long it takes, and the lines of the log.
    async fn waited(
        client: Client,
        signals: &JobSignals,
        time_left: Duration,
    ) -> (Duration, String) {
        let random = Random::from_seed(1);
        let sessions = Sessions::new("https://h:1".into(), String::new(), SESSION_TIMEOUT, random);
        let session = sessions.offer();
        sit(&session, client);
        let options = LogOptions {
            timestamps: false,
            ..LogOptions::default()
        };
        let log = JobLog::new(options, Arc::new(SystemClock), Spool::memory());
        let begin = Instant::now();
        let registered = sessions.register(&session);
        wait(registered, signals, &log, begin + time_left).await;
        assert!(session.take().is_some(), "nobody is left");
        log.close();
        let size = usize::try_from(log.size()).unwrap();
        let text = String::from_utf8(log.read(0, size).unwrap().to_vec()).unwrap();
        let codes = ["\x1b[0K", "\x1b[32;1m", "\x1b[0;m"];
        let plain = codes.iter().fold(text, |text, code| text.replace(code, ""));
        (begin.elapsed(), plain)
    }

    const HOUR: Duration = Duration::from_hours(1);
    const SECOND: Duration = Duration::from_secs(1);

    /// Goal: a job waits only for a terminal that is open, until it is closed, or `session_timeout` is
    /// over, or the job's own time is, whichever comes first.
    #[tokio::test(start_paused = true)]
    async fn how_long_a_job_waits() {
        let signals = JobSignals::default();
        let none = waited(Client::Nobody, &signals, HOUR).await;
        assert_eq!(none, (Duration::ZERO, String::new()));

        let closed = waited(Client::For(SECOND * 100), &signals, HOUR).await;
        let text = "Terminal is connected, will time out in 30m0s...\nTerminal disconnected\n";
        assert_eq!(closed, (SECOND * 100, text.to_owned()));

        for (time_left, waits, shown) in [
            (HOUR, SESSION_TIMEOUT, "30m0s"),
            (SECOND * 90, SECOND * 90, "1m30s"),
            (
                Duration::from_millis(89_600),
                Duration::from_millis(89_600),
                "1m30s",
            ),
        ] {
            let text = format!(
                "Terminal is connected, will time out in {shown}...\n\
                 terminal session timed out (maximum time allowed - {shown})\n"
            );
            let over = waited(Client::Stays, &signals, time_left).await;
            assert_eq!(over, (waits, text));
        }
        let late = waited(Client::Stays, &signals, Duration::ZERO).await;
        assert_eq!(late, (Duration::ZERO, String::new()));
    }

    /// Goal: what ends jobs ends the wait, before it begins and while it lasts; a cancel does not, because
    /// it comes after the script.
    #[tokio::test(start_paused = true)]
    async fn what_ends_the_wait() {
        let connected = "Terminal is connected, will time out in 30m0s...\n";
        let after = async |act: fn(&JobSignals), delay: Duration| {
            let signals = JobSignals::default();
            let other = signals.clone();
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                act(&other);
            });
            tokio::time::sleep(SECOND).await;
            waited(Client::Stays, &signals, HOUR).await
        };
        let interrupt: fn(&JobSignals) = |signals| signals.interrupt.raise("terminated");
        let text = format!("{connected}Terminal disconnected\n");
        assert_eq!(after(interrupt, SECOND * 8).await, (SECOND * 7, text));
        assert_eq!(
            after(interrupt, Duration::ZERO).await,
            (Duration::ZERO, String::new())
        );
        let abort: fn(&JobSignals) = |signals| signals.abort.cancel();
        assert_eq!(
            after(abort, SECOND * 8).await,
            (SECOND * 7, connected.to_owned())
        );
        let cancel: fn(&JobSignals) = |signals| signals.cancel.cancel();
        assert_eq!(after(cancel, SECOND * 8).await.0, SESSION_TIMEOUT);
    }
}
