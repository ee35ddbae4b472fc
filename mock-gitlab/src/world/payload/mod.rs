//! The job payload (wire.md 3.8).
//!
//! - `build`: the object as a whole.
//! - `git`: what to check out.
//! - `variables`: predefined variables and those of group, project, pipeline and job.
//! - `expand`: references between variables, resolved as the server does.

mod build;
mod expand;
mod git;
mod variables;

pub(super) use build::QueueFigures;
