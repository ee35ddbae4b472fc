//! What to poll and when (runner.md 4).
//!
//! - [`Scheduler`]: the rules, pure: time in, decisions out.
//! - [`Manager`]: `gitlab-runner run`: loads the configuration, polls, runs jobs, obeys signals.
//!   Everything from outside is passed in by [`ManagerOptions`], so it runs on a paused clock too.
//! - [`ConfigSource`]: where the configuration comes from: [`FileConfig`], or [`MemoryConfig`] for
//!   virtual time.
//! - [`TransportFactory`], [`ExecutorProvider`]: the ways to a server and to a place where jobs run.
//! - [`Signal`], [`ExitReason`]: what comes in and out of a process.
//! - [`run_command`]: the command around a manager, with the machine's own clock, signals and files.

mod command;
mod config_source;
mod executor_provider;
mod manager;
mod scheduler;
mod signal;
mod transport_factory;

pub use command::{RunOptions, SingleOptions, run_command, run_single};
pub use config_source::{ConfigSource, FileConfig, MemoryConfig, Revision};
pub use executor_provider::{ExecutorInfo, ExecutorProvider, ExecutorRequest, LocalExecutors};
pub use manager::{Manager, ManagerOptions, Single, SingleLimits, SpoolKind};
pub use scheduler::{
    ConcurrentIds, Decision, Entry, Offered, Plan, PollEnd, Scheduler, Skip, Ticket,
};
pub use signal::{ExitReason, Signal};
pub use transport_factory::{HttpTransports, TransportFactory, TransportTarget};
