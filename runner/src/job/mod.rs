//! The life of one job: stages, timeouts, cancel, results (runner.md 5).
//!
//! - [`run`]: the whole life, from the header lines of the log to its result line.
//! - [`JobRun`]: what a job needs; [`JobSignals`]: how it is told to stop; [`JobOutcome`]: how it ended.
//! - [`LogSink`]: the log as a job uses it; [`LogSettings`]: how that log is made.
//! - [`Flags`]: feature flags; [`Settings`]: what the job's variables ask for; [`Variables`]: the
//!   variables themselves; [`Directories`]: where the job works.

mod backoff;
mod directories;
mod environment;
mod flags;
pub mod go_duration;
mod inputs;
mod log;
mod log_settings;
mod request;
mod run;
mod secrets;
mod settings;
mod stages;
mod stop;
mod terminal;
mod timeouts;
mod variables;

pub use directories::{Directories, DirectoryInput, clean as clean_path};
pub use flags::{Flag, Flags};
pub use inputs::{InputError, Interpolations};
pub use log::LogSink;
pub use log_settings::LogSettings;
pub use request::{
    Interrupt, JobConfig, JobFailure, JobIds, JobOutcome, JobRun, JobSignals, JobTls,
};
pub use run::run;
pub use settings::{Attempts, GitStrategy, Settings, SubmoduleStrategy, parse_bool};
pub use variables::{JobVariable, Variables, expand};
