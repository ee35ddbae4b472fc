//! Entry point.

use std::process::ExitCode;

fn main() -> ExitCode {
    runner::cli::main(&std::env::args_os().collect::<Vec<_>>())
}
