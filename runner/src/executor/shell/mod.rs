//! The shell executor: stages run in a login shell on the manager's own machine (executors.md 2).
//!
//! - [`ShellExecutor`]: one process group per stage, script on standard input.
//! - [`Watchdog`]: kills the process groups that are left when the manager itself dies.

mod executor;
mod process;
mod signal_name;
mod watchdog;

pub use executor::{ShellExecutor, ShellOptions};
pub use watchdog::Watchdog;
