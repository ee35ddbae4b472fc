//! What is removed before a fetch and after a job (runner.md 7.3 step 3 and its end).

use super::GitContext;
use crate::job::{Flag, GitStrategy, SubmoduleStrategy};
use crate::shell::ScriptWriter;

/// Files that a git which was killed leaves behind, relative to `.git`, and the hook that a job could use
/// to run code in the next one. The order is that of the recording `debug-trace`.
const LEFTOVERS: [&str; 5] = [
    "index.lock",
    "shallow.lock",
    "HEAD.lock",
    "hooks/post-checkout",
    "config.lock",
];

/// Removes lock files and the post-checkout hook, and with clean configuration what a job could have
/// configured (RUN-GIT-07, RUN-GIT-08).
pub(super) fn remove_leftovers(script: &mut ScriptWriter, context: &GitContext<'_>) {
    let submodules = context.settings.submodule_strategy != SubmoduleStrategy::None;
    let modules = context.in_project(".git/modules");
    for name in LEFTOVERS {
        script.remove_file(&context.in_project(&format!(".git/{name}")));
    }
    script.remove_files_below(&context.in_project(".git/refs"), "*.lock");
    if submodules {
        for name in LEFTOVERS {
            let name = name.rsplit('/').next().unwrap_or(name);
            script.remove_files_below(&modules, name);
        }
    }
    if context.clean_config && context.settings.git_strategy != GitStrategy::None {
        script.remove_file(&format!("{}/config", context.template()));
        script.remove_dir(&format!("{}/hooks", context.template()));
        script.remove_file(&context.in_project(".git/config"));
        script.remove_dir(&context.in_project(".git/hooks"));
        if submodules {
            script.remove_files_below(&modules, "config");
            script.remove_dirs_below(&modules, "hooks");
        }
    }
}

/// Makes git forget the job token, where a helper of the user has stored it.
pub fn reject_credentials(script: &mut ScriptWriter, context: &GitContext<'_>) {
    let Some(url) = context.remote_url().filter(super::RemoteUrl::is_http) else {
        return;
    };
    if matches!(
        context.settings.git_strategy,
        GitStrategy::None | GitStrategy::Empty
    ) {
        // Nothing asked git for the token.
        return;
    }
    let request = script
        .quoting()
        .word(&format!("url={}\nusername=gitlab-ci-token", url.origin()));
    script.line(&format!("echo {request} | git credential reject || true"));
}

/// The git part of `cleanup_file_variables`.
pub fn cleanup(script: &mut ScriptWriter, context: &GitContext<'_>) {
    if context.is_on(Flag::EnableJobCleanup) {
        cleanup_work_tree(script, context);
    }
    remove_leftovers(script, context);
}

/// `FF_ENABLE_JOB_CLEANUP`: leaves nothing of the job for the next one.
fn cleanup_work_tree(script: &mut ScriptWriter, context: &GitContext<'_>) {
    let settings = context.settings;
    match settings.git_strategy {
        GitStrategy::Clone | GitStrategy::Empty => script.remove_dir(&context.directories.project),
        GitStrategy::None => script.notice("Skipping build directory cleanup step"),
        GitStrategy::Fetch => {
            script.cd(&context.directories.project);
            let clean: Vec<&str> = ["git", "clean"]
                .into_iter()
                .chain(settings.git_clean_flags.iter().map(String::as_str))
                .collect();
            if !settings.git_clean_flags.is_empty() {
                script.command(&clean);
            }
            script.command(&["git", "reset", "--hard"]);
            if let Some(foreach) = super::submodules::foreach(settings.submodule_strategy) {
                if !settings.git_clean_flags.is_empty() {
                    script.command(&[&foreach[..], &clean[..]].concat());
                }
                script.command(&[&foreach[..], &["git", "reset", "--hard"]].concat());
            }
        }
    }
}

/// The stage `clear_worktree`: what a failed attempt left must not disturb the next one (RUN-JOB-08).
pub fn clear_worktree(script: &mut ScriptWriter, context: &GitContext<'_>) {
    script.notice("Deleting tracked and untracked files...");
    let project = crate::shell::expanding(&context.directories.project);
    script.open(&format!("if [ -d {project} ]; then"));
    script.cd(&context.directories.project);
    script.command(&["git", "rm", "-rf", "--ignore-unmatch", "--quiet", "."]);
    script.command(&["git", "clean", "-ffdx", "-q"]);
    script.close("fi");
}
