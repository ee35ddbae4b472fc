//! Stages that need no shell where the profile is silent (docs/differences.md).

use super::stages::{env_file, left_by_job, owner_file};
use super::{GREEN, RESET, ScriptContext};
use crate::executor::{PlainWork, Stage};
use crate::job::{Flag, GitStrategy};

/// Names that would change what the shell, or a program that the runner itself starts, does.
const TELLING: [&str; 14] = [
    "PATH",
    "IFS",
    "CDPATH",
    "GLOBIGNORE",
    "HOME",
    "LANG",
    "LANGUAGE",
    "POSIXLY_CORRECT",
    "SHELLOPTS",
    "UID",
    "EUID",
    "PPID",
    "TMOUT",
    "TMPDIR",
];

/// What the script of `stage` comes to, where that is next to nothing: sources that are not fetched, and
/// the files of such a job deleted. `None`: only a shell can do it, or would do it in another way, for
/// example because a variable has a name that `export` refuses.
///
/// The script of `get_sources` writes file variables, too. They are left to the step, whose script writes
/// them in any case.
pub fn work(stage: &Stage, context: &ScriptContext<'_>) -> Option<PlainWork> {
    if !is_plain(context) {
        return None;
    }
    let directories = &context.git.directories;
    let owner = owner_file(&directories.builds);
    match stage {
        Stage::GetSources => {
            let said = [
                "Skipping Git repository setup",
                "Skipping Git checkout",
                "Skipping Git submodules setup",
            ];
            Some(PlainWork {
                present: vec![
                    directories.temp.clone(),
                    env_file(context),
                    directories.project.clone(),
                ],
                absent: vec![owner],
                output: said.map(|text| format!("{GREEN}{text}{RESET}\n")).concat(),
                ..PlainWork::default()
            })
        }
        Stage::CleanupFileVariables if !context.git.is_on(Flag::EnableJobCleanup) => {
            let mut remove = left_by_job(context);
            remove.push(owner);
            Some(PlainWork {
                present: vec![directories.temp.clone()],
                // Locks of a git that was killed would have to be looked for.
                absent: vec![context.git.in_project(".git")],
                // What stands there is exported, and that can fail.
                empty: vec![env_file(context)],
                remove,
                ..PlainWork::default()
            })
        }
        _ => None,
    }
}

/// Whether the stages around the user's commands of this job go the same way without its variables.
fn is_plain(context: &ScriptContext<'_>) -> bool {
    let directories = &context.git.directories;
    let paths = [&directories.builds, &directories.project, &directories.temp];
    context.git.shared_environment
        && context.via.is_empty()
        && context.shell == "bash"
        && !context.git.settings.debug_trace
        && context.git.settings.git_strategy == GitStrategy::None
        && !context.git.is_on(Flag::UseLegacyBashEval)
        // The shell would expand them.
        && !paths.iter().any(|path| path.contains(['$', '`', '\\']))
        && context.variables.iter().all(|variable| {
            let key = variable.key.as_str();
            is_identifier(key)
                && !TELLING.contains(&key)
                && !["BASH", "LD_", "LC_"]
                    .iter()
                    .any(|start| key.starts_with(start))
        })
}

fn is_identifier(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(fits)
        && name
            .bytes()
            .next()
            .is_some_and(|first| !first.is_ascii_digit())
}
