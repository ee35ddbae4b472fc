//! The shell executor: stages run in a login shell on the manager's own machine (executors.md 2).
//!
//! - [`ShellExecutor`]: one process group per stage, script on standard input.
//! - `terminal`: web terminals, in a pty beside the job.
//! - [`Watchdog`]: kills the process groups that are left when the manager itself dies.

mod executor;
mod heard;
mod process;
mod signal_name;
mod terminal;
mod watchdog;

pub use executor::{ShellExecutor, ShellOptions};
pub use watchdog::Watchdog;
