//! Entry point. Started under the name of a runner or of the mock server, it is that program, so that
//! scenarios with real processes need one build only.

use std::process::ExitCode;

fn main() -> ExitCode {
    scenarios::cli::dispatch(std::env::args_os().collect())
}
