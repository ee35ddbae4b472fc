//! Entry point.

use std::process::ExitCode;

fn main() -> ExitCode {
    mock_gitlab::cli::main(&std::env::args_os().collect::<Vec<_>>())
}
