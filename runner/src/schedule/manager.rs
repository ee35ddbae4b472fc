use std::sync::Arc;

use tokio::sync::mpsc;

use crate::clock::SharedClock;
use crate::host::Host;
use crate::logging::Log;
use crate::random::Random;

use super::{ConfigSource, ExitReason, Signal, TransportFactory};

/// Everything that a manager needs from outside.
#[derive(Debug)]
pub struct ManagerOptions {
    /// The configuration.
    pub config: Arc<dyn ConfigSource>,
    /// The way to the servers.
    pub transports: Arc<dyn TransportFactory>,
    /// Wall time, for time stamps.
    pub clock: SharedClock,
    /// Chance: correlation ids, jitter.
    pub random: Random,
    /// The machine and process.
    pub host: Host,
    /// The process log, whose level and format the configuration may set. Records go to the
    /// subscriber that is current when [`Manager::run`] is called; normally [`Log::dispatch`] of this.
    pub log: Log,
}

/// `gitlab-runner run` (runner.md 4).
#[derive(Debug)]
pub struct Manager {
    options: ManagerOptions,
    signals: mpsc::Receiver<Signal>,
}

impl Manager {
    /// A manager that has not started. Signals come over `signals`; when all senders are gone, no
    /// signal will ever come.
    pub fn new(options: ManagerOptions, signals: mpsc::Receiver<Signal>) -> Self {
        Manager { options, signals }
    }

    /// Runs until a stop signal has done its work. Needs a tokio runtime; starts no thread.
    pub async fn run(self) -> ExitReason {
        let _ = (self.options, self.signals);
        todo!()
    }
}
