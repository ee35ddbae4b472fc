/// A signal that the manager obeys (runner.md 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGQUIT: finish running jobs, take no new ones.
    Quit,
    /// SIGTERM: abort running jobs; after [`Signal::Quit`] too.
    Terminate,
    /// SIGINT: as [`Signal::Terminate`].
    Interrupt,
    /// SIGHUP: reload the configuration.
    Hangup,
}

impl Signal {
    /// The number on Linux.
    pub fn number(self) -> i32 {
        match self {
            Signal::Quit => 3,
            Signal::Terminate => 15,
            Signal::Interrupt => 2,
            Signal::Hangup => 1,
        }
    }

    /// The name in log lines and in `aborted: terminated`.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Quit => "quit",
            Signal::Terminate => "terminated",
            Signal::Interrupt => "interrupt",
            Signal::Hangup => "hangup",
        }
    }
}

/// How a manager ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// Every job ended in its own way after a stop signal: exit code 0.
    Finished,
    /// It could not start or go on; the text is the `error` field of `Service run failed`: exit code 1.
    Failed(String),
    /// `concurrent` is below 1: no job can run (RUN-CFG-05): exit code 1.
    NoConcurrency,
    /// The address of the metrics server cannot be listened on: exit code 1.
    NoListener {
        /// Why.
        error: String,
        /// `concurrent`.
        max_builds: i64,
    },
    /// There is no session server, though one is configured: exit code 1.
    NoSessionServer(String),
    /// Boot verification failed: exit code 1. The text is that of its records.
    RunFailed(String),
    /// A second stop signal came during a forceful shutdown: exit code 1 (RUN-SIG-03).
    ForcedExit(Signal),
    /// Jobs did not end within `shutdown_timeout`: exit code 1 (RUN-SIG-03).
    ShutdownTimedOut,
}

impl ExitReason {
    /// The exit code of the process.
    pub fn code(&self) -> u8 {
        u8::from(*self != ExitReason::Finished)
    }
}

impl std::fmt::Display for ExitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExitReason::Finished => f.write_str("finished"),
            ExitReason::Failed(text)
            | ExitReason::NoListener { error: text, .. }
            | ExitReason::NoSessionServer(text)
            | ExitReason::RunFailed(text) => f.write_str(text),
            ExitReason::NoConcurrency => f.write_str("concurrent is below 1"),
            ExitReason::ForcedExit(signal) => {
                write!(f, "forced exit with stop signal: {}", signal.name())
            }
            ExitReason::ShutdownTimedOut => f.write_str("shutdown timed out"),
        }
    }
}
