//! Submodules (runner.md 7.3 step 9, RUN-GIT-11, RUN-GIT-16).

use super::get_sources::depth_text;
use super::{GitContext, SourceError};
use crate::job::SubmoduleStrategy;
use crate::shell::ScriptWriter;

/// `git submodule foreach [--recursive]`; `None` without submodules.
pub(super) fn foreach(strategy: SubmoduleStrategy) -> Option<Vec<&'static str>> {
    match strategy {
        SubmoduleStrategy::Recursive => Some(vec!["git", "submodule", "foreach", "--recursive"]),
        SubmoduleStrategy::Normal => Some(vec!["git", "submodule", "foreach"]),
        SubmoduleStrategy::None | SubmoduleStrategy::Invalid => None,
    }
}

/// Updates submodules, with one more try after a failure.
pub(super) fn update(
    script: &mut ScriptWriter,
    context: &GitContext<'_>,
) -> Result<(), SourceError> {
    let settings = context.settings;
    let recursive = match settings.submodule_strategy {
        SubmoduleStrategy::None => {
            script.notice("Skipping Git submodules setup");
            return Ok(());
        }
        SubmoduleStrategy::Invalid => return Err(SourceError::SubmoduleStrategy),
        SubmoduleStrategy::Normal => None,
        SubmoduleStrategy::Recursive => Some("--recursive"),
    };
    if settings
        .submodule_paths
        .iter()
        .any(|path| path == ":(exclude)")
    {
        return Err(SourceError::SubmodulePathspec {
            paths: vec![":(exclude)".to_owned()],
        });
    }
    let commands = Commands::new(context, recursive);
    let depth = settings.submodule_depth.unwrap_or(context.info.depth.get());
    script.notice(&format!(
        "Updating/initializing submodules{}{}...",
        if recursive.is_some() {
            " recursively"
        } else {
            ""
        },
        depth_text(depth)
    ));

    script.command(&words(&["git", "submodule", "init"]));
    script.command(&words(&commands.sync()));
    script.command(&words(&commands.clean()));
    script.command(&words(&commands.reset()));
    let update = commands.update(depth);
    let code = script.join(&words(&update));
    script.open(&format!("if {code}; then"));
    script.notice("Updated submodules");
    script.command(&words(&commands.sync()));
    script.middle("else");
    script.warning("Updating submodules failed. Retrying...");
    if settings
        .submodule_update_flags
        .iter()
        .any(|flag| flag == "--remote")
    {
        script.command(&words(&commands.fetch()));
    }
    script.command(&words(&commands.sync()));
    script.command(&words(&update));
    script.command(&words(&commands.reset()));
    script.close("fi");
    script.command(&words(&commands.clean()));

    script.notice("Configuring submodules to use parent git credentials...");
    let ext = context.ext_config();
    let configure = [
        "git",
        "submodule",
        "foreach",
        "--recursive",
        "git",
        "config",
    ];
    script.command(&[&configure[..], &["--replace-all", "include.path", &ext]].concat());
    if !settings.lfs_skip_smudge {
        script.open("if git lfs version >/dev/null 2>&1 ; then");
        script.notice("Pulling LFS files...");
        script.command(&words(&commands.lfs_pull()));
        script.close("fi");
    }
    Ok(())
}

fn words(words: &[impl AsRef<str>]) -> Vec<&str> {
    words.iter().map(AsRef::as_ref).collect()
}

/// The command lines, whose flags depend on the job.
struct Commands<'a> {
    context: &'a GitContext<'a>,
    recursive: Option<&'static str>,
    include: String,
}

impl<'a> Commands<'a> {
    fn new(context: &'a GitContext<'a>, recursive: Option<&'static str>) -> Self {
        Commands {
            context,
            recursive,
            include: format!("include.path={}", context.ext_config()),
        }
    }

    fn with_paths(&self, mut words: Vec<String>) -> Vec<String> {
        let paths = &self.context.settings.submodule_paths;
        if !paths.is_empty() {
            words.push("--".to_owned());
            words.extend(paths.iter().cloned());
        }
        words
    }

    fn foreach(&self, words: &[&str], include: bool) -> Vec<String> {
        let mut all = git(&[]);
        if include {
            all.extend(["-c".to_owned(), self.include.clone()]);
        }
        all.extend(["submodule".to_owned(), "foreach".to_owned()]);
        all.extend(self.recursive.map(str::to_owned));
        all.extend(words.iter().map(|&word| word.to_owned()));
        all
    }

    fn sync(&self) -> Vec<String> {
        let mut all = git(&["submodule", "sync"]);
        all.extend(self.recursive.map(str::to_owned));
        self.with_paths(all)
    }

    fn clean(&self) -> Vec<String> {
        let mut all = self.foreach(&["git", "clean"], false);
        let flags = &self.context.settings.git_clean_flags;
        if flags.is_empty() {
            all.push("-ffdx".to_owned());
        } else {
            all.extend(flags.iter().cloned());
        }
        all
    }

    fn reset(&self) -> Vec<String> {
        self.foreach(&["git", "reset", "--hard"], false)
    }

    fn update(&self, depth: i64) -> Vec<String> {
        let mut all = git(&["-c", &self.include, "submodule", "update", "--init"]);
        all.extend(self.recursive.map(str::to_owned));
        if depth > 0 {
            all.extend(["--depth".to_owned(), depth.to_string()]);
        }
        all.extend(self.context.settings.submodule_update_flags.iter().cloned());
        self.with_paths(all)
    }

    fn fetch(&self) -> Vec<String> {
        let all_heads = "+refs/heads/*:refs/remotes/origin/*";
        self.foreach(&["git", "fetch", "origin", all_heads], true)
    }

    fn lfs_pull(&self) -> Vec<String> {
        self.foreach(&["git", "lfs", "pull"], true)
    }
}

fn git(words: &[&str]) -> Vec<String> {
    let mut all = vec!["git".to_owned()];
    all.extend(words.iter().map(|&word| word.to_owned()));
    all
}
