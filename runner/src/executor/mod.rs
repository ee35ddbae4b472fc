//! Where the stages of a job run: one folder for each executor, one trait for all.
//!
//! - [`Stage`]: the stages of a job; [`StageOutput`]: where their output goes; [`ExecutorError`]: how
//!   they fail.
//! - [`scripted`]: takes what happens from a script, for virtual time.

mod error;
mod output;
pub mod scripted;
mod stage;

pub use error::{ErrorKind, ExecutorError};
pub use output::{OutputSink, StageOutput};
pub use stage::Stage;
