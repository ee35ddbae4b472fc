//! What to poll and when (runner.md 4).
//!
//! - [`Manager`]: `gitlab-runner run`: loads the configuration, polls, runs jobs, obeys signals.
//!   Everything from outside is passed in by [`ManagerOptions`], so it runs on a paused clock too.
//! - [`ConfigSource`]: where the configuration comes from: [`FileConfig`], or [`MemoryConfig`] for
//!   virtual time.
//! - [`TransportFactory`]: makes the way to a server.
//! - [`Signal`], [`ExitReason`]: what comes in and out of a process.

mod config_source;
mod manager;
mod signal;
mod transport_factory;

pub use config_source::{ConfigSource, FileConfig, MemoryConfig};
pub use manager::{Manager, ManagerOptions};
pub use signal::{ExitReason, Signal};
pub use transport_factory::{TransportFactory, TransportTarget};
