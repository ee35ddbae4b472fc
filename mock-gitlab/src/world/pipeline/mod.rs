//! Pipelines: how jobs follow one another (queueing.md 11).
//!
//! - [`composite`]: one status for many jobs.
//! - `create`: a new pipeline, its checks, redundant ones cancelled.
//! - `process`: what may start after a change.
//! - `retry`: new attempts, automatic and by hand.
//! - `resource_group`: one job at a time.

pub(super) mod composite;
mod create;
mod process;
mod resource_group;
mod retry;

pub(super) use resource_group::ResourceGroup;
