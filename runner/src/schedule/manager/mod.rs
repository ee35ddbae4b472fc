//! `gitlab-runner run` (runner.md 4): drives the [`super::Scheduler`].
//!
//! - `imp`: the one task that owns all state; everything comes to it in one linear order.
//! - `options`: what it needs from outside; `state`: entries, clients, the configuration in force.
//! - `polling`: one entry's way through a worker, from the poll to the end of its job.
//! - `unsupported`: jobs that are refused at pickup; `lines`, `records`: texts of the process log.
//! - `serving`: metrics and debug pages; `watched`: what these show of a job.
//! - `sessions`: the session server, and the sessions that polls offer.
//! - `boot_verify`: the small job that some entries run before anything is polled.
//! - `single`: `run-single`, the same workers without the manager.
//! - `rotation`: when which token is replaced; `tokens`: how the manager does it.
//! - `reload`: when the configuration is read again; `shutdown`: stop signals.

mod boot_verify;
mod imp;
mod lines;
mod options;
mod polling;
mod records;
mod reload;
mod rotation;
mod serving;
mod sessions;
mod shutdown;
mod single;
mod state;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_rotation;
mod tokens;
mod unsupported;
mod watched;

pub use imp::Manager;
pub use options::{ManagerOptions, SpoolKind};
pub use single::{Single, SingleLimits};
