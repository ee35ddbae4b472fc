//! The command `gauntlet`.
//!
//! - [`args`]: the command line; [`dispatch`]: which program is meant.
//! - [`select`]: what names and paths mean; [`run`], [`replay`], [`list`], [`conform`]: the commands.

pub mod args;
mod conform;
mod dispatch;
mod list;
mod output;
mod replay;
mod run;
pub mod select;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use dispatch::dispatch;

use args::{Cli, Command, RunArgs};

/// Exit code for wrong use, and when the harness itself breaks.
const BROKEN: u8 = 2;

/// Runs `gauntlet`.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { BROKEN } else { 0 });
        }
    };
    let command = cli.command.unwrap_or_else(|| {
        Command::Run(RunArgs {
            jobs: args::default_jobs(),
            ..RunArgs::default()
        })
    });
    let result = match command {
        Command::List(args) => list::list(&args),
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Conform { command } => conform::conform(&command),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            output::error(&problem);
            ExitCode::from(BROKEN)
        }
    }
}
