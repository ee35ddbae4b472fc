//! The script of each stage (runner.md 5.1, 10.1).

use protocol::JobPayload;
use protocol::job_payload::Step;

use super::helpers::{self, ScriptError};
use super::{Quoting, ScriptWriter, Skeleton, plain};
use crate::executor::Stage;
use crate::git::{self, GitContext};
use crate::job::{Flag, GitStrategy, Variables};

/// Everything that the scripts of a job are made from.
#[derive(Clone, Debug)]
pub struct ScriptContext<'a> {
    /// The job.
    pub payload: &'a JobPayload,
    /// Its variables, expanded.
    pub variables: &'a Variables,
    /// The git parts, with settings, flags and directories.
    pub git: GitContext<'a>,
    /// Hooks of the runner's configuration.
    pub hooks: ConfigHooks<'a>,
    /// `bash` or `sh`.
    pub shell: &'a str,
    /// Name or path by which helper commands are called.
    pub runner_command: &'a str,
    /// What provenance says of the runner.
    pub runner: RunnerIdentity<'a>,
    /// Host that the job runs via, or empty.
    pub via: &'a str,
    /// Name of the manager's host.
    pub manager_host: &'a str,
}

/// Who runs a job (runner.md 12).
#[derive(Clone, Copy, Debug, Default)]
pub struct RunnerIdentity<'a> {
    /// Its id; 0: not known.
    pub id: i64,
    /// Its name.
    pub name: &'a str,
    /// The name of its executor.
    pub executor: &'a str,
}

/// Scripts of the runner's entry that run in every job (runner.md 5.3).
#[derive(Clone, Copy, Debug, Default)]
pub struct ConfigHooks<'a> {
    /// `pre_get_sources_script`.
    pub pre_get_sources: &'a str,
    /// `post_get_sources_script`.
    pub post_get_sources: &'a str,
    /// `pre_build_script`.
    pub pre_build: &'a str,
    /// `post_build_script`.
    pub post_build: &'a str,
}

/// The script of `stage`, or `None` if it has nothing to do (RUN-JOB-02). `step` is the step of
/// [`Stage::Step`] and [`Stage::AfterScript`].
pub fn stage_script(
    stage: &Stage,
    step: Option<&Step>,
    context: &ScriptContext<'_>,
) -> Result<Option<String>, ScriptError> {
    let flags = context.git.flags;
    let quoting = if flags.is_on(Flag::PosixlyCorrectEscapes) {
        Quoting::Posix
    } else {
        Quoting::Ansi
    };
    let mut script = ScriptWriter::new(quoting, flags.is_on(Flag::EnableBashExitCodeCheck))
        .traced(context.git.settings.debug_trace || context.shell != "bash");
    let written = match stage {
        Stage::PrepareScript => prepare(&mut script, context),
        Stage::GetSources => get_sources(&mut script, context)?,
        Stage::ClearWorktree => {
            git::clear_worktree(&mut script, &context.git);
            true
        }
        Stage::RestoreCache => helpers::restore_cache(&mut script, context)?,
        Stage::DownloadArtifacts => helpers::download_artifacts(&mut script, context),
        Stage::Step(_) => user_step(&mut script, step, context),
        Stage::AfterScript => after_script(&mut script, step, context),
        Stage::ArchiveCache => helpers::archive_cache(&mut script, context, true)?,
        Stage::ArchiveCacheOnFailure => helpers::archive_cache(&mut script, context, false)?,
        Stage::UploadArtifactsOnSuccess => helpers::upload_artifacts(&mut script, context, true),
        Stage::UploadArtifactsOnFailure => helpers::upload_artifacts(&mut script, context, false),
        Stage::CleanupFileVariables => cleanup(&mut script, context),
    };
    if !written {
        return Ok(None);
    }
    let skeleton = Skeleton {
        xtrace: context.git.settings.debug_trace,
        legacy_eval: flags.is_on(Flag::UseLegacyBashEval),
        quoting,
        own: *stage == Stage::PrepareScript,
    };
    Ok(Some(skeleton.wrap(context.shell, &script.into_body())))
}

/// File that carries variables to later stages (RUN-VAR-06).
pub(super) fn env_file(context: &ScriptContext<'_>) -> String {
    format!("{}/gitlab_runner_env", context.git.directories.temp)
}

fn prepare(script: &mut ScriptWriter, context: &ScriptContext<'_>) -> bool {
    if context.via.is_empty() && !script.is_traced() {
        // The program only where the kernel does not tell the name.
        script.line(
            "{ read -r h < /proc/sys/kernel/hostname; } 2>/dev/null || h=$(hostname); \
             echo \"Running on $h...\"",
        );
    } else if context.via.is_empty() {
        script.line("echo \"Running on $(hostname)...\"");
    } else {
        let via = super::expanding(context.manager_host);
        script.line(&format!("echo \"Running on $(hostname) via \"{via}\"...\""));
    }
    script.remove_files(&between_stages(context));
    if plain::work(&Stage::GetSources, context).is_some() {
        // What fails here fails again in the shell of `get_sources`, which then says so.
        let [temp, project] = [
            &context.git.directories.temp,
            &context.git.directories.project,
        ]
        .map(|path| super::expanding(path));
        script.line(&format!(
            "[ -d {temp} ] && [ -d {project} ] || mkdir -p {temp} {project} 2>/dev/null || true"
        ));
        let file = super::expanding(&env_file(context));
        script.line(&format!("{{ : >> {file}; }} 2>/dev/null || true"));
    }
    true
}

/// Files by which stages of a job speak to each other.
fn between_stages(context: &ScriptContext<'_>) -> [String; 2] {
    let masks = format!("{}/masking.db", context.git.directories.temp);
    [env_file(context), masks]
}

/// The variables of the job, the file variables as files, and what earlier stages left in `GITLAB_ENV`.
/// Nothing is written for cleanup, which is about to delete it (RUN-VAR-04).
fn exports(script: &mut ScriptWriter, context: &ScriptContext<'_>, write_files: bool) {
    let temp = &context.git.directories.temp;
    for variable in context.variables.iter() {
        if !variable.file {
            script.export(&variable.key, &variable.value);
            continue;
        }
        let path = context.variables.file_path(&variable.key);
        if write_files {
            script.mkdir(temp);
            script.write_file(&path, &variable.value);
        }
        script.export(&variable.key, &path);
    }
    git::export_global_config(script, &context.git);
    let env_file = env_file(context);
    script.export("GITLAB_ENV", &env_file);
    script.mkdir(temp);
    let quoted = super::expanding(&env_file);
    script.touch(&env_file);
    script.line(&format!(
        "while read -r line; do export \"$line\"; done < {quoted}"
    ));
}

/// Exports and change into the project directory, for stages that work there.
pub(super) fn enter_project(script: &mut ScriptWriter, context: &ScriptContext<'_>) {
    exports(script, context, true);
    script.cd(&context.git.directories.project);
}

fn get_sources(
    script: &mut ScriptWriter,
    context: &ScriptContext<'_>,
) -> Result<bool, ScriptError> {
    exports(script, context, true);
    script.export("GIT_TERMINAL_PROMPT", "0");
    script.export("GCM_INTERACTIVE", "Never");
    let with_hooks = !matches!(
        context.git.settings.git_strategy,
        GitStrategy::None | GitStrategy::Empty
    );
    let job_hook = |name: &str| {
        let hooks = context.payload.hooks.as_slice();
        let hook = hooks.iter().find(|hook| hook.name.as_str() == name);
        hook.map_or_else(Vec::new, |hook| hook.script.get())
    };
    if with_hooks {
        let commands = [
            config_hook(context.hooks.pre_get_sources),
            job_hook("pre_get_sources_script"),
        ];
        user_commands(script, context, &commands.concat(), "pre_clone_script");
    }
    git::get_sources(script, &context.git).map_err(|error| ScriptError(error.to_string()))?;
    if with_hooks {
        let commands = [
            job_hook("post_get_sources_script"),
            config_hook(context.hooks.post_get_sources),
        ];
        user_commands(script, context, &commands.concat(), "post_clone_script");
    }
    give_to_owner(script, &context.git.directories.builds);
    git::finish(script, &context.git);
    Ok(true)
}

fn config_hook(code: &str) -> Vec<String> {
    if code.is_empty() {
        Vec::new()
    } else {
        vec![code.to_owned()]
    }
}

fn user_step(script: &mut ScriptWriter, step: Option<&Step>, context: &ScriptContext<'_>) -> bool {
    let Some(step) = step else { return false };
    enter_project(script, context);
    let pre = config_hook(context.hooks.pre_build);
    user_commands(script, context, &pre, "pre_build_script");
    let mut commands = step.script.get();
    if step.name.as_str() == "release" {
        // The release tool gets its arguments as the manager knows them.
        for command in &mut commands {
            *command = context.variables.expand(command);
        }
    }
    user_commands(script, context, &commands, "script_step");
    let post = config_hook(context.hooks.post_build);
    user_commands(script, context, &post, "post_build_script");
    true
}

fn after_script(
    script: &mut ScriptWriter,
    step: Option<&Step>,
    context: &ScriptContext<'_>,
) -> bool {
    let Some(step) = step.filter(|step| !step.script.as_slice().is_empty()) else {
        return false;
    };
    enter_project(script, context);
    script.notice("Running after script...");
    user_commands(script, context, step.script.as_slice(), "after_script_step");
    true
}

/// Commands of a user, each shown before it runs (RUN-SH-01, RUN-SH-07).
fn user_commands(
    script: &mut ScriptWriter,
    context: &ScriptContext<'_>,
    commands: &[String],
    section: &str,
) {
    let sections = context.git.is_on(Flag::ScriptSections)
        && context.payload.features.get().trace_sections.get();
    for (index, command) in commands.iter().enumerate() {
        let command = command.trim();
        if command.is_empty() {
            script.blank();
            continue;
        }
        match command.split_once('\n') {
            None => script.notice(&format!("$ {command}")),
            Some(_) if sections => {
                section_title(script, &format!("section_{section}_{index}"), command);
            }
            Some((first, _)) => {
                script.notice(&format!("$ {first} # collapsed multi-line command"));
            }
        }
        script.user_code(command);
    }
}

/// A collapsed section that holds the whole command. It is closed before the command runs, so that the
/// output stays in sight.
fn section_title(script: &mut ScriptWriter, name: &str, command: &str) {
    use super::{GREEN, RESET};

    let quoting = script.quoting();
    let head = quoting.word(&format!(
        ":{name}[hide_duration=true,collapsed=true]\r\x1b[0K{GREEN}$ {command}{RESET}"
    ));
    let tail = quoting.word(&format!(":{name}\r\x1b[0K"));
    script.line(&format!(
        "printf '%b\\n' \"section_start:$(date +%s)\"{head}"
    ));
    script.line(&format!("printf '%b\\n' \"section_end:$(date +%s)\"{tail}"));
}

fn cleanup(script: &mut ScriptWriter, context: &ScriptContext<'_>) -> bool {
    exports(script, context, false);
    git::reject_credentials(script, &context.git);
    let files = left_by_job(context);
    script.remove_files(&files);
    git::cleanup(script, &context.git);
    script.remove_file(&owner_file(&context.git.directories.builds));
    true
}

/// Files of the runner's own that a job leaves.
pub(super) fn left_by_job(context: &ScriptContext<'_>) -> Vec<String> {
    let mut files = between_stages(context).to_vec();
    files.extend([context.git.ext_config(), context.git.global_config()]);
    let file_variables = context.variables.iter().filter(|variable| variable.file);
    files.extend(file_variables.map(|variable| context.variables.file_path(&variable.key)));
    files
}

/// File whose owner all sources are to have, which an executor may leave in the builds directory.
pub(super) fn owner_file(builds: &str) -> String {
    format!("{builds}/.gitlab-build-uid-gid")
}

/// Gives the sources to the user who runs the job's scripts (recording `debug-trace`).
fn give_to_owner(script: &mut ScriptWriter, builds: &str) {
    let (file, quoted) = (owner_file(builds), super::expanding(builds));
    script.open(&format!("if [ -e {} ]; then", super::expanding(&file)));
    script.open(&format!("if [ -d {quoted} ]; then"));
    let owner = format!("$(stat -c '%u:%g' '{file}')");
    script.line(&format!("chown -R \"{owner}\" '{builds}'"));
    script.line(&format!(
        "echo \"Setting ownership for {builds} to {owner}\""
    ));
    script.close("fi");
    script.close("fi");
}
