//! Stop signals (runner.md 4.5).

use std::time::Duration;

use tokio::time::Instant;

use crate::schedule::{ExitReason, Signal};

/// How long the last update of a job may take when the process is forced to exit.
pub(super) const LAST_UPDATE: Duration = Duration::from_secs(3);
/// How long a forced exit waits for workers: a little more than their last updates take.
const FORCED_EXIT: Duration = Duration::from_secs(5);

/// How far the end of the process is.
#[derive(Debug, Default)]
pub(super) enum Shutdown {
    /// No stop signal came.
    #[default]
    Running,
    /// SIGQUIT: running jobs go on.
    Graceful,
    /// SIGTERM or SIGINT: jobs are aborted, until `deadline`.
    Forceful { deadline: Instant },
    /// A second signal, or the time is over: processes are killed, until `deadline`.
    Exiting {
        reason: ExitReason,
        deadline: Instant,
    },
}

/// What is to be done because of a signal or a deadline.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Poll nothing any more, cancel polls.
    StopPolling,
    /// Abort jobs.
    Abort,
    /// Kill.
    Kill,
    /// Return.
    Exit,
}

impl Shutdown {
    /// Whether a stop signal came.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self, Shutdown::Running)
    }

    /// When [`Shutdown::expire`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Shutdown::Running | Shutdown::Graceful => None,
            Shutdown::Forceful { deadline } | Shutdown::Exiting { deadline, .. } => Some(*deadline),
        }
    }

    /// A stop signal came (not SIGHUP).
    pub(super) fn signal(&mut self, signal: Signal, timeout: Duration, now: Instant) -> Step {
        match (&self, signal) {
            (Shutdown::Running, Signal::Quit) => {
                *self = Shutdown::Graceful;
                Step::StopPolling
            }
            (Shutdown::Running | Shutdown::Graceful, Signal::Terminate | Signal::Interrupt) => {
                *self = Shutdown::Forceful {
                    deadline: now + timeout,
                };
                Step::Abort
            }
            (Shutdown::Forceful { .. }, Signal::Quit | Signal::Terminate | Signal::Interrupt) => {
                *self = Shutdown::Exiting {
                    reason: ExitReason::ForcedExit(signal),
                    deadline: now + FORCED_EXIT,
                };
                Step::Kill
            }
            _ => Step::Nothing,
        }
    }

    /// The process cannot go on, for another reason than a signal.
    pub(super) fn force(&mut self, reason: ExitReason, now: Instant) -> Step {
        *self = Shutdown::Exiting {
            reason,
            deadline: now + FORCED_EXIT,
        };
        Step::Kill
    }

    /// The deadline has come.
    pub(super) fn expire(&mut self, now: Instant) -> Step {
        match self {
            Shutdown::Forceful { .. } => {
                *self = Shutdown::Exiting {
                    reason: ExitReason::ShutdownTimedOut,
                    deadline: now + FORCED_EXIT,
                };
                Step::Kill
            }
            Shutdown::Exiting { .. } => Step::Exit,
            Shutdown::Running | Shutdown::Graceful => Step::Nothing,
        }
    }

    /// How the process ended, once nothing is in work.
    pub(super) fn reason(&self) -> ExitReason {
        match self {
            Shutdown::Exiting { reason, .. } => reason.clone(),
            _ => ExitReason::Finished,
        }
    }
}
