//! The git part of `get_sources` (runner.md 7.3).

use super::cleanup::{reject_credentials, remove_leftovers};
use super::config::{write_ext_config, write_template};
use super::submodules;
use super::{GitContext, SourceError};
use crate::job::{Flag, GitStrategy};
use crate::shell::{RESET, ScriptWriter};

/// First git that can clone a revision.
const NATIVE_CLONE_SINCE: &str = "2.49";

/// Writes what comes between the two hooks of `get_sources`.
///
/// Fails, before anything runs, if the job asks for something that cannot be written as a script.
pub fn get_sources(script: &mut ScriptWriter, context: &GitContext<'_>) -> Result<(), SourceError> {
    let settings = context.settings;
    let project = &context.directories.project;
    match settings.git_strategy {
        GitStrategy::None => {
            script.notice("Skipping Git repository setup");
            script.mkdir(project);
            skip_checkout_and_submodules(script);
        }
        GitStrategy::Empty => {
            script.notice("Skipping Git repository setup and creating an empty build directory");
            script.remove_dir(project);
            script.mkdir(project);
            skip_checkout_and_submodules(script);
        }
        GitStrategy::Clone | GitStrategy::Fetch => {
            if !settings.lfs_skip_smudge {
                // Files are pulled after the checkout, all at once.
                script.export("GIT_LFS_SKIP_SMUDGE", "1");
            }
            prepare(script, context);
            if settings.git_strategy == GitStrategy::Clone {
                script.remove_dir(project);
            }
            fill(script, context);
            if settings.git_checkout {
                checkout(script, context);
            } else {
                script.notice("Skipping Git checkout");
            }
            submodules::update(script, context)?;
        }
    }
    Ok(())
}

/// Writes what comes after the second hook of `get_sources`.
pub fn finish(script: &mut ScriptWriter, context: &GitContext<'_>) {
    reject_credentials(script, context);
}

fn skip_checkout_and_submodules(script: &mut ScriptWriter) {
    script.notice("Skipping Git checkout");
    script.notice("Skipping Git submodules setup");
}

/// Leftovers, template and configuration.
fn prepare(script: &mut ScriptWriter, context: &GitContext<'_>) {
    remove_leftovers(script, context);
    write_template(script, context);
    if context.safe_directory {
        script.command(&[
            "git",
            "config",
            "--global",
            "--add",
            "safe.directory",
            &context.directories.project,
        ]);
    }
    write_ext_config(script, context);
}

/// `[ with git depth set to N]`.
pub(super) fn depth_text(depth: i64) -> String {
    if depth > 0 {
        format!(" with git depth set to {depth}")
    } else {
        String::new()
    }
}

/// Gets the objects, by fetch or by native clone.
fn fill(script: &mut ScriptWriter, context: &GitContext<'_>) {
    let native = context.is_on(Flag::UseGitNativeClone)
        && context.settings.git_strategy == GitStrategy::Clone;
    if !native {
        fetch(script, context);
        return;
    }
    // Compares the numbers of the version, which `sort -V` does; `printf` keeps it one command.
    script.open(&format!(
        "if [ \"$(printf '%s\\n' {NATIVE_CLONE_SINCE} \"$(git version | sed 's/^git version //')\" \
         | sort -V | head -n 1)\" = {NATIVE_CLONE_SINCE} ]; then"
    ));
    script.print(&format!(
        "{RESET}Git version at least \"{NATIVE_CLONE_SINCE}\""
    ));
    native_clone(script, context);
    script.middle("else");
    fetch(script, context);
    script.close("fi");
}

fn native_clone(script: &mut ScriptWriter, context: &GitContext<'_>) {
    let depth = context.info.depth.get();
    let reference = context.info.ref_.as_str();
    script.notice(&format!(
        "Cloning repository for {reference}{}...",
        depth_text(depth)
    ));
    let (remote, agent, template) = (context.remote(), context.user_agent(), context.template());
    let depth_number = depth.to_string();
    let mut words = vec!["git", "-c", &agent];
    let auth = context.proactive_auth();
    if let Some(auth) = &auth {
        words.extend(["-c", auth]);
    }
    let project = context.directories.project.as_str();
    words.extend(["clone", "--no-checkout", &remote.stored, project]);
    words.extend(["--template", &template]);
    if depth > 0 {
        words.extend(["--depth", &depth_number]);
    }
    if reference.starts_with("refs/") {
        words.extend(["--revision", reference]);
    } else {
        words.extend(["--branch", reference]);
    }
    words.extend(
        context
            .settings
            .git_clone_extra_flags
            .iter()
            .map(String::as_str),
    );
    script.command(&words);
    script.cd(project);
}

fn fetch(script: &mut ScriptWriter, context: &GitContext<'_>) {
    let info = context.info;
    let depth = info.depth.get();
    script.notice(&format!("Fetching changes{}...", depth_text(depth)));

    let template = context.template();
    let project = context.directories.project.as_str();
    let mut init = vec!["git", "init", project, "--template", &template];
    let format = info.repo_object_format.as_str();
    if !format.is_empty() && format != "sha1" {
        init.extend(["--object-format", format]);
    }
    script.command(&init);
    script.cd(project);

    let remote = script.quoting().word(&context.remote().stored);
    script.open(&format!(
        "if git remote add origin {remote} >/dev/null 2>&1 ; then"
    ));
    script.notice("Created fresh repository.");
    script.middle("else");
    script.line(&format!("git remote set-url origin {remote}"));
    script.exit_check();
    // The repository was made by a job with another temp directory, or by hand.
    script.line(
        "git \"config\" \"--file\" \".git/config\" \"--replace-all\" \"include.path\" \
         \"$GLR_EXT_GIT_CONFIG_PATH\" \"\\.gitlab-runner\\.ext\\.conf$\"",
    );
    script.exit_check();
    script.close("fi");

    let (agent, auth) = (context.user_agent(), context.proactive_auth());
    let depth_number = depth.to_string();
    let mut words = vec!["git", "-c", &agent];
    if let Some(auth) = &auth {
        words.extend(["-c", auth]);
    }
    words.extend(["fetch", "origin", "--no-recurse-submodules"]);
    words.extend(info.refspecs.as_slice().iter().map(String::as_str));
    if depth > 0 {
        words.extend(["--depth", &depth_number]);
    }
    words.extend(
        context
            .settings
            .git_fetch_extra_flags
            .iter()
            .map(String::as_str),
    );
    if depth > 0 {
        script.command(&words);
        return;
    }
    // Without a depth all history is wanted, and a shallow repository must be told so.
    script.open("if [ -f .git/shallow ]; then");
    let unshallow = [&words[..], &["--unshallow"]].concat();
    script.command(&unshallow);
    script.middle("else");
    script.command(&words);
    script.close("fi");
}

fn checkout(script: &mut ScriptWriter, context: &GitContext<'_>) {
    let sha = context.info.sha.as_str();
    let short: String = sha.chars().take(8).collect();
    script.notice(&format!(
        "Checking out {short} as detached HEAD (ref is {})...",
        context.info.ref_.as_str()
    ));
    let auth = context.proactive_auth();
    let mut words = vec!["git", "-c", "submodule.recurse=false"];
    if let Some(auth) = &auth {
        words.extend(["-c", auth]);
    }
    words.extend(["checkout", "-f", "-q", sha]);
    script.command(&words);

    let clean = &context.settings.git_clean_flags;
    if !clean.is_empty() {
        let words: Vec<&str> = ["git", "clean"]
            .into_iter()
            .chain(clean.iter().map(String::as_str))
            .collect();
        script.command(&words);
    }
    if !context.settings.lfs_skip_smudge {
        script.open("if git lfs version >/dev/null 2>&1 ; then");
        script.command(&["git", "lfs", "pull"]);
        script.blank();
        script.close("fi");
    }
}
