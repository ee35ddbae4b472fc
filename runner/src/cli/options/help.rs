//! Help texts, in the layout of the official runner.

use std::fmt::Write as _;

use super::commands::{COMMANDS, Command, global};
use super::{Holds, Opt};
use crate::host;

/// Help of the program.
pub(in crate::cli) fn program() -> String {
    let mut text = format!(
        "NAME:\n   gitlab-runner - a GitLab Runner\n\nUSAGE:\n   gitlab-runner [global options] command [command options] [arguments...]\n\nVERSION:\n   {} ({})\n\nCOMMANDS:\n",
        host::VERSION,
        host::REVISION
    );
    let mut rows: Vec<(String, String)> = COMMANDS
        .iter()
        .map(|command| (command.name.to_owned(), command.about.to_owned()))
        .collect();
    rows.push((
        "help, h".to_owned(),
        "Show the commands, or the help of one".to_owned(),
    ));
    text.push_str(&table(&rows));
    text.push_str("\nGLOBAL OPTIONS:\n");
    text.push_str(&options(&global()));
    text
}

/// Help of a command.
pub(in crate::cli) fn command(command: &Command) -> String {
    format!(
        "NAME:\n   gitlab-runner {name} - {about}\n\nUSAGE:\n   gitlab-runner {name} [command options] [arguments...]\n\nOPTIONS:\n{options}   \n",
        name = command.name,
        about = command.about,
        options = options(&(command.options)())
    )
}

fn options(options: &[Opt]) -> String {
    let rows: Vec<_> = options
        .iter()
        .map(|option| (names(option), about(option)))
        .collect();
    table(&rows)
}

fn table(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, about) in rows {
        let _ = writeln!(text, "   {name:width$}  {about}");
    }
    text
}

fn names(option: &Opt) -> String {
    let value = match option.holds {
        Holds::Switch { .. } => "",
        _ => " value",
    };
    let names = option.names.iter().map(|name| {
        let dashes = if name.len() == 1 { "-" } else { "--" };
        format!("{dashes}{name}{value}")
    });
    names.collect::<Vec<_>>().join(", ")
}

fn about(option: &Opt) -> String {
    let mut text = option.help.clone();
    let kind = match option.holds {
        Holds::List => " (may be repeated)",
        Holds::Map(_) => " (KEY:value, may be repeated)",
        Holds::ThreeState => " (true or false)",
        _ => "",
    };
    text.push_str(kind);
    if !option.default.is_empty() {
        let _ = write!(text, " (default: {})", option.default);
    }
    if !option.env.is_empty() {
        let _ = write!(text, " [${}]", option.env);
    }
    text
}
