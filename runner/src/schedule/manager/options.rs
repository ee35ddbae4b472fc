use std::io;
use std::sync::Arc;

use crate::clock::SharedClock;
use crate::host::Host;
use crate::logging::Log;
use crate::random::Random;
use crate::schedule::{ConfigSource, ExecutorProvider, TransportFactory};
use crate::trace::Spool;

/// Where the bytes of job logs are kept until they are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpoolKind {
    /// A file in the temp folder for each job.
    #[default]
    File,
    /// Memory, for virtual time.
    Memory,
}

impl SpoolKind {
    pub(super) fn spool(self) -> io::Result<Spool> {
        match self {
            SpoolKind::File => Spool::file(),
            SpoolKind::Memory => Ok(Spool::memory()),
        }
    }
}

/// Everything that a manager needs from outside.
#[derive(Clone, Debug)]
pub struct ManagerOptions {
    /// The configuration.
    pub config: Arc<dyn ConfigSource>,
    /// The way to the servers.
    pub transports: Arc<dyn TransportFactory>,
    /// The places where jobs run.
    pub executors: Arc<dyn ExecutorProvider>,
    /// Wall time, for time stamps.
    pub clock: SharedClock,
    /// Chance: correlation ids, jitter.
    pub random: Random,
    /// The machine and process.
    pub host: Host,
    /// Where job logs are kept.
    pub spool: SpoolKind,
    /// The process log, whose level and format the configuration may set. Records go to the
    /// subscriber that is current when [`super::Manager::run`] is called; normally [`Log::dispatch`] of
    /// this.
    pub log: Log,
}
