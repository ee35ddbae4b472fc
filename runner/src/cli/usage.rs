//! Wrong use and help (runner.md 2.1).

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Cli;
use crate::logging::{self, Log};

/// Prints the help of the program, or of a command, on stdout.
pub(super) fn help(path: &[&str]) {
    let mut command = Cli::command();
    for name in path {
        if let Some(found) = command.find_subcommand(name) {
            command = found.clone();
        }
    }
    print!("{}", command.render_help());
}

/// Says what was wrong with the arguments; gives the exit code.
pub(super) fn explain(error: &clap::Error, log: &Log) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp => {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        ErrorKind::InvalidSubcommand => {
            super::say_platform();
            let name = invalid(error, ContextKind::InvalidSubcommand);
            tracing::error!(target: logging::FATAL, "Command {name} not found.");
            return ExitCode::FAILURE;
        }
        _ => {}
    }
    let text = text_of(error);
    let path: Vec<String> = std::env::args().skip(1).take(1).collect();
    let command = path
        .iter()
        .find(|name| Cli::command().find_subcommand(name).is_some());
    if let Some(command) = command {
        println!("Incorrect Usage: {text}\n");
        help(&[command]);
        super::say_platform();
    } else {
        println!("Incorrect Usage. {text}\n");
        help(&[]);
        log.fix(None, Some(logging::Format::TextSeconds));
    }
    tracing::error!(target: logging::FATAL, "{text}");
    ExitCode::FAILURE
}

fn invalid(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    }
}

/// The error in the official runner's words, where it has some.
fn text_of(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::UnknownArgument {
        let flag = invalid(error, ContextKind::InvalidArg);
        let flag = flag.trim_start_matches('-');
        return format!("flag provided but not defined: -{flag}");
    }
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
