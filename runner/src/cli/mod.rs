//! The command line of `gitlab-runner` (runner.md 2).
//!
//! - [`args`]: options; `usage`: wrong use, in the official runner's words.
//! - `session`: what every command needs: configuration, system id, clients.
//! - `register`, `verify`, `unregister`, `list`, `reset_token`, `lint`, `run`, `run_single`: the
//!   commands.

pub mod args;
mod lint;
mod list;
mod prompt;
mod register;
mod reset_token;
mod run;
mod run_single;
mod session;
mod unregister;
mod usage;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::host;
use crate::logging::{self, Log};
use args::{Cli, Command};

/// Why a command ends with exit code 1; the text is logged as a fatal or panic record.
#[derive(Debug)]
pub(crate) enum Failure {
    /// `FATAL: <text>`.
    Fatal(String),
    /// `FATAL: <text>` with a field `error`.
    FatalError(&'static str, String),
    /// `PANIC: <text>`.
    Panic(String),
    /// The record is written already.
    Logged,
}

impl Failure {
    fn log(&self) {
        match self {
            Failure::Fatal(text) => tracing::error!(target: logging::FATAL, "{text}"),
            Failure::FatalError(text, error) => {
                tracing::error!(target: logging::FATAL, error, "{text}");
            }
            Failure::Panic(text) => tracing::error!(target: logging::PANIC, "{text}"),
            Failure::Logged => {}
        }
    }
}

/// Runs `gitlab-runner` with these arguments, the program's name first.
pub fn main(args: &[OsString]) -> ExitCode {
    let log = Log::stderr();
    log.install();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage::explain(&error, &log),
    };
    if cli.version {
        print!("{}", version());
        return ExitCode::SUCCESS;
    }
    if let Err(failure) = session::set_up_log(&cli, &log) {
        failure.log();
        return ExitCode::FAILURE;
    }
    let Some(command) = cli.command else {
        usage::help(&[]);
        return ExitCode::SUCCESS;
    };
    say_platform();
    let result = match command {
        Command::Run(args) => run::run(args, log),
        Command::RunSingle(args) => run_single::run_single(&args, log),
        Command::Register(args) => register::register(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Unregister(args) => unregister::unregister(&args),
        Command::List(args) => list::list(&args),
        Command::ResetToken(args) => reset_token::reset_token(&args),
        Command::Lint(args) => lint::lint(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.log();
            ExitCode::FAILURE
        }
    }
}

/// The first record of every command.
fn say_platform() {
    tracing::info!(
        arch = host::architecture(),
        os = host::platform(),
        pid = std::process::id(),
        revision = host::REVISION,
        version = host::VERSION,
        "Runtime platform"
    );
}

/// What `--version` prints: six lines (RUN-CLI-02).
fn version() -> String {
    format!(
        "Version:      {}\nGit revision: {}\nGit branch:   {}\nGO version:   none (rust)\nBuilt:        unknown\nOS/Arch:      {}/{}\n",
        host::VERSION,
        host::REVISION,
        host::BRANCH,
        host::platform(),
        host::architecture()
    )
}
