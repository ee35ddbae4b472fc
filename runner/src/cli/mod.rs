//! The command line of `gitlab-runner` (runner.md 2).
//!
//! - `options`: commands, their options, and how a command line is read.
//! - `session`: what every command needs: configuration, system id, clients.
//! - `register` with its `prompt`, `questions` and `template`; `verify`, `unregister`, `list`,
//!   `reset_token`, `lint`, `run`, `run_single`, `service`, `completion`: the commands; `artifacts`: those
//!   that only scripts of jobs call.

mod artifacts;
mod completion;
mod lint;
mod list;
mod options;
mod prompt;
mod questions;
mod register;
mod reset_token;
mod run;
mod run_single;
mod service;
mod session;
mod template;
mod unregister;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::host;
use crate::logging::{self, Format, Log};
use options::commands::{COMMANDS, Command, Invocation};
use options::{UsageError, help};

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
    match dispatch(args, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.log();
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[OsString], log: &Log) -> Result<(), Failure> {
    let args = texts(args).inspect_err(|_| plain(log))?;
    let env = |name: &str| std::env::var(name).ok();
    let bare = options::bare_booleans(&args);
    if !bare.is_empty() {
        log.fix(None, Some(Format::TextSeconds));
        for option in bare {
            tracing::warn!("boolean parameters must be passed in the command line with {option}");
            tracing::warn!("parameters after this may be ignored");
        }
        log.fix(None, None);
    }
    let (global, read) = match options::parse(&options::commands::global(), &args, &env, true) {
        Ok(read) => read,
        Err(UsageError::Help) => {
            print!("{}", help::program());
            return Ok(());
        }
        Err(UsageError::Wrong(text)) => {
            println!("Incorrect Usage. {text}\n\n{}", help::program());
            plain(log);
            return Err(Failure::Fatal(text));
        }
    };
    if global.switch("version") {
        print!("{}", version());
        return Ok(());
    }
    session::set_up_log(&global, log)?;
    let Some((name, rest)) = args.get(read..).and_then(<[String]>::split_first) else {
        print!("{}", help::program());
        return Ok(());
    };
    say_platform();
    if !global.text("cpuprofile").is_empty() {
        tracing::warn!("--cpuprofile: this runner writes no CPU profile");
    }
    let find = |name: &str| -> Result<&Command, Failure> {
        let mut all = COMMANDS.iter().chain(artifacts::COMMANDS);
        let found = all.find(|command| command.name == name);
        found.ok_or_else(|| Failure::Fatal(format!("Command {name} not found.")))
    };
    if name == "help" || name == "h" {
        match rest.first() {
            Some(name) => print!("{}", help::command(find(name)?)),
            None => print!("{}", help::program()),
        }
        return Ok(());
    }
    let command = find(name)?;
    let options = (command.options)();
    match options::parse(&options, rest, &env, false) {
        Ok((given, _)) => (command.run)(&Invocation {
            given,
            options,
            log: log.clone(),
            words: rest
                .iter()
                .filter(|word| !word.starts_with('-'))
                .cloned()
                .collect(),
        }),
        Err(UsageError::Help) => {
            print!("{}", help::command(command));
            Ok(())
        }
        Err(UsageError::Wrong(text)) => {
            println!("Incorrect Usage: {text}\n\n{}", help::command(command));
            Err(Failure::Fatal(text))
        }
    }
}

/// What is wrong before a command is known is said in this format.
fn plain(log: &Log) {
    log.fix(None, Some(Format::TextSeconds));
}

/// The arguments behind the program's name.
fn texts(args: &[OsString]) -> Result<Vec<String>, Failure> {
    let texts = args.iter().skip(1).map(|arg| {
        arg.clone().into_string().map_err(|arg| {
            Failure::Fatal(format!(
                "argument {:?} is no UTF-8; arguments must be UTF-8",
                arg.to_string_lossy()
            ))
        })
    });
    texts.collect()
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
