//! The life of one job: stages, timeouts, cancel, results (runner.md 5).
//!
//! - [`Flags`]: feature flags; [`Settings`]: what the job's variables ask for; [`Variables`]: the
//!   variables themselves; [`Directories`]: where the job works.

mod directories;
mod flags;
pub mod go_duration;
mod settings;
mod variables;

pub use directories::{Directories, DirectoryInput, clean as clean_path};
pub use flags::{Flag, Flags};
pub use settings::{Attempts, GitStrategy, Settings, SubmoduleStrategy, parse_bool};
pub use variables::{JobVariable, Variables, expand};
