//! `completion`: a script for a shell, made from the same tables as the parser.

use std::io::Write as _;

use clap::{Arg, ArgAction};
use clap_complete::Shell;

use super::Failure;
use super::options::commands::{COMMANDS, Invocation, global};
use super::options::{Holds, Opt};

pub(super) fn completion(invocation: &Invocation) -> Result<(), Failure> {
    let shell: Shell = match invocation.words.first().map(|word| word.parse()) {
        Some(Ok(shell)) => shell,
        _ => {
            return Err(Failure::Fatal(
                "completion: name a shell: bash, zsh, fish, elvish or powershell".to_owned(),
            ));
        }
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program(), "gitlab-runner", &mut script);
    std::io::stdout()
        .write_all(&script)
        .map_err(|error| Failure::Fatal(format!("stdout: {error}")))
}

/// The command line as clap describes one. It is never parsed by it.
fn program() -> clap::Command {
    let mut program = clap::Command::new("gitlab-runner")
        .about("A GitLab Runner")
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .args(global().iter().map(argument));
    for command in COMMANDS {
        program = program.subcommand(
            clap::Command::new(command.name)
                .about(command.about)
                .args((command.options)().iter().map(argument)),
        );
    }
    program
}

fn argument(option: &Opt) -> Arg {
    let mut argument = Arg::new(option.name().to_owned()).help(option.help.clone());
    for name in &option.names {
        let mut letters = name.chars();
        argument = match (letters.next(), letters.next()) {
            (Some(letter), None) => argument.short(letter),
            _ if argument.get_long().is_none() => argument.long(name.clone()),
            _ => argument.visible_alias(name.clone()),
        };
    }
    match option.holds {
        Holds::Switch { .. } => argument.action(ArgAction::SetTrue),
        _ if ["config", "template-config"].contains(&option.name()) => {
            argument.value_hint(clap::ValueHint::FilePath)
        }
        _ if option.name() == "working-directory" => argument.value_hint(clap::ValueHint::DirPath),
        _ => argument.action(ArgAction::Append),
    }
}
