//! Which program is meant: decided by the name it was started under.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program that `args[0]` names: `gitlab-runner`, `mock-gitlab`, or else `gauntlet`.
pub fn dispatch(args: Vec<OsString>) -> ExitCode {
    let _ = args;
    ExitCode::from(2)
}
