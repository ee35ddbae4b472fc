//! Which program is meant: decided by the name it was started under, or by a helper command.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use crate::process::RUNNER_NAME;

/// Commands with which a runner calls itself from the scripts of its jobs. It calls the program by its
/// real path, which is this one's.
const HELPER_COMMANDS: [&str; 9] = [
    "artifacts-downloader",
    "artifacts-uploader",
    "cache-archiver",
    "cache-extractor",
    "cache-init",
    "health-check",
    "proxy-exec",
    "read-logs",
    "steps",
];

/// Runs the program that `args[0]` names: `gitlab-runner`, `mock-gitlab`, or else `gauntlet`.
pub fn dispatch(args: Vec<OsString>) -> ExitCode {
    match program(&args) {
        Program::Runner => runner::cli::main(&args),
        Program::Server => mock_gitlab::cli::main(&args),
        Program::Gauntlet => super::main(args),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Program {
    Runner,
    Server,
    Gauntlet,
}

fn program(args: &[OsString]) -> Program {
    let name = args.first().map(Path::new).and_then(Path::file_stem);
    if name == Some(OsStr::new(RUNNER_NAME)) || name == Some(OsStr::new("gitlab-runner-helper")) {
        return Program::Runner;
    }
    if name == Some(OsStr::new("mock-gitlab")) {
        return Program::Server;
    }
    let command = args.get(1).and_then(|command| command.to_str());
    if command.is_some_and(|command| HELPER_COMMANDS.contains(&command)) {
        return Program::Runner;
    }
    Program::Gauntlet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides() {
        for (args, expected) in [
            (&["/tmp/x/gitlab-runner", "run"][..], Program::Runner),
            (&["target/debug/gauntlet", "run"], Program::Gauntlet),
            (&["gauntlet", "artifacts-uploader"], Program::Runner),
            (&["mock-gitlab"], Program::Server),
            (&[], Program::Gauntlet),
        ] {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            assert_eq!(program(&args), expected, "{args:?}");
        }
    }
}
