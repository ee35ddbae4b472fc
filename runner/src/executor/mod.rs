//! Where the stages of a job run: one folder for each executor, one trait for all.
//!
//! - [`Executor`]: the trait; [`Environment`]: what scripts must know of the place.
//! - [`Stage`]: the stages of a job; [`StageOutput`]: where their output goes; [`ExecutorError`]: how
//!   they fail; [`PlainWork`]: what needs no shell.
//! - [`Terminal`]: where a web terminal gets its shell from.
//! - [`shell`]: the manager's own machine; [`scripted`]: takes what happens from a script, for virtual
//!   time.

mod contract;
mod error;
mod output;
mod plain;
pub mod scripted;
pub mod shell;
mod stage;
mod terminal;

pub use contract::{Environment, Executor, ManagerLines, StageCommand};
pub use error::{ErrorKind, ExecutorError};
pub use output::{OutputSink, StageOutput};
pub use plain::PlainWork;
pub use stage::Stage;
pub use terminal::{Terminal, TerminalConnection};
