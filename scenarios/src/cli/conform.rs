//! `gauntlet conform`.

use super::args::ConformCommand;
use super::output::{error, out};
use crate::conform::docs;

pub(super) fn conform(command: &ConformCommand) -> Result<u8, String> {
    let ConformCommand::Docs { check } = command;
    let here = std::env::current_dir().map_err(|error| format!("working directory: {error}"))?;
    let root = docs::find_root(&here).ok_or_else(|| {
        "no repository of this project here: call it in a working copy, where `docs/checks.tsv` is"
            .to_owned()
    })?;
    let result = if *check {
        docs::check(&root)
    } else {
        docs::generate(&root)
    };
    match result {
        Ok(counts) => {
            out(&format!(
                "{} checks, {} proved, {} open with a reason\n",
                counts.checks, counts.proved, counts.open
            ));
            Ok(0)
        }
        Err(problems) => {
            for problem in problems {
                error(&problem.to_string());
            }
            Ok(1)
        }
    }
}
