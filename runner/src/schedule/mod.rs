//! What to poll and when (runner.md 4).
//!
//! The manager that drives them is not built yet; these are its ways in and out.
//! - [`ConfigSource`]: where the configuration comes from: [`FileConfig`], or [`MemoryConfig`] for
//!   virtual time.
//! - [`TransportFactory`]: makes the way to a server.
//! - [`Signal`], [`ExitReason`]: what comes in and out of a process.

mod config_source;
mod signal;
mod transport_factory;

pub use config_source::{ConfigSource, FileConfig, MemoryConfig};
pub use signal::{ExitReason, Signal};
pub use transport_factory::{TransportFactory, TransportTarget};
