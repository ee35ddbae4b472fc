//! The scripts that the stages of a job run (runner.md 10).
//!
//! - [`stage_script`]: the script of one stage, made from a [`ScriptContext`].
//! - [`plain_work`]: what a stage comes to where it needs no shell.
//! - [`Quoting`]: quotes a word; [`ScriptWriter`]: writes the body; [`Skeleton`]: what stands around it.

mod helpers;
mod plain;
mod quote;
mod skeleton;
mod stages;
mod writer;

pub use helpers::ScriptError;
pub use plain::work as plain_work;
pub use quote::Quoting;
pub use skeleton::Skeleton;
pub use stages::{ConfigHooks, RunnerIdentity, ScriptContext, stage_script};
pub use writer::ScriptWriter;

pub(crate) use quote::expanding;
pub(crate) use writer::{GREEN, RESET};
