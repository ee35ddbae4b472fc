//! Metrics and debug pages (runner.md 13).
//!
//! - [`Metrics`]: what is counted, and its text; `families` has names and labels.
//! - `jobs`: the running jobs; `process`: what the process uses.
//! - [`ListenAddress`], [`serve`]: the HTTP server, which knows nothing of the manager: it is given a
//!   [`Refresh`] that brings the gauges up to date before they are read.

mod address;
mod families;
mod imp;
mod jobs;
mod process;
mod requests;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use address::why_not_bound;
pub use address::{InvalidListenAddress, ListenAddress};
pub use imp::{EntryGauges, EntryLabels, Metrics, ProcessState};
pub use jobs::{ExecutorStage, JobState, JobWatch};
pub use requests::{Endpoint, RequestObserver};
pub use server::{Refresh, serve};
