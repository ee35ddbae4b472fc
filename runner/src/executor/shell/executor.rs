use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::heard::Heard;
use super::process;
use super::terminal::ShellTerminal;
use super::watchdog::Watchdog;
use crate::client::transport::BoxFuture;
use crate::executor::{
    Environment, Executor, ExecutorError, ManagerLines, Stage, StageCommand, StageOutput, Terminal,
};

/// Configuration of a shell executor.
#[derive(Clone, Debug, Default)]
pub struct ShellOptions {
    /// `shell` of the entry; empty: `bash`.
    pub shell: String,
    /// `builds_dir` of the entry; empty: `builds`.
    pub builds_dir: String,
    /// `cache_dir` of the entry; empty: `cache`.
    pub cache_dir: String,
    /// `--user` of `run`: scripts run as this user; empty: as the manager.
    pub user: String,
    /// What relative directories are relative to, and `$PWD` in them.
    pub working_directory: PathBuf,
    /// This program, for helper commands.
    pub runner_command: PathBuf,
}

/// Runs stages on the machine of the manager, as its user (executors.md 2).
#[derive(Debug)]
pub struct ShellExecutor {
    options: ShellOptions,
    watchdog: Watchdog,
    program: Option<Vec<String>>,
    /// The shell of `prepare_script` said its one line and nothing else: no profile speaks in the log.
    silent_profile: bool,
}

impl ShellExecutor {
    /// An executor for one job. The watchdog is shared by all jobs of a manager.
    pub fn new(options: ShellOptions, watchdog: Watchdog) -> Self {
        ShellExecutor {
            options,
            watchdog,
            program: None,
            silent_profile: false,
        }
    }

    /// The same with another command line for the shell, which gets the scripts on its standard input.
    #[must_use]
    pub fn with_program(mut self, words: &[&str]) -> Self {
        self.program = Some(words.iter().map(|&word| word.to_owned()).collect());
        self
    }

    fn shell(&self) -> &str {
        match self.options.shell.as_str() {
            "" => "bash",
            shell => shell,
        }
    }

    /// Absolute form of a configured directory.
    fn directory(&self, configured: &str, default: &str) -> String {
        let base = self.options.working_directory.to_string_lossy();
        let configured = if configured.is_empty() {
            default
        } else {
            configured
        };
        let expanded = configured.replace("${PWD}", &base).replace("$PWD", &base);
        let path: PathBuf = Path::new(&self.options.working_directory).join(expanded);
        crate::job::clean_path(&path.to_string_lossy())
    }

    /// The command line that starts the shell (RUN-SH-03).
    fn program(&self) -> Vec<String> {
        let shell = self.shell();
        let words: Vec<&str> = match self.options.user.as_str() {
            "" => vec![shell, "-l"],
            user => {
                let command = format!("{shell} -l");
                let mut words = vec!["su".to_owned()];
                if cfg!(target_os = "linux") {
                    words.extend(["-s".to_owned(), format!("/bin/{shell}")]);
                }
                words.extend([user.to_owned(), "-c".to_owned(), command]);
                return words;
            }
        };
        words.into_iter().map(str::to_owned).collect()
    }

    fn command_line(&self) -> Vec<String> {
        self.program.clone().unwrap_or_else(|| self.program())
    }
}

impl Executor for ShellExecutor {
    fn name(&self) -> &'static str {
        "shell"
    }

    fn environment(&self) -> Environment {
        Environment {
            builds_dir: Some(self.directory(&self.options.builds_dir, "builds")),
            cache_dir: Some(self.directory(&self.options.cache_dir, "cache")),
            shared_builds_dir: true,
            shared_environment: true,
            custom_build_dir: false,
            clean_git_config: false,
            safe_directory: false,
            shell: self.shell().to_owned(),
            runner_command: self.options.runner_command.to_string_lossy().into_owned(),
            via: String::new(),
            image: None,
        }
    }

    fn prepare<'a>(
        &'a mut self,
        lines: &'a dyn ManagerLines,
        _cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), ExecutorError>> {
        Box::pin(async move {
            let shell = self.shell();
            if !matches!(shell, "bash" | "sh") {
                return Err(ExecutorError::system(format!(
                    "shell {shell} is not supported by this runner, use bash or sh"
                )));
            }
            lines.println(&format!("Using Shell ({shell}) executor..."));
            Ok(())
        })
    }

    fn run<'a>(
        &'a mut self,
        command: StageCommand,
        output: StageOutput,
        lines: &'a dyn ManagerLines,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), ExecutorError>> {
        Box::pin(async move {
            let mut output = output;
            if self.silent_profile
                && let Some(work) = &command.plain
                && work.carry_out(&mut output)
            {
                return Ok(());
            }
            let program = self.command_line();
            let prepares = command.stage == Stage::PrepareScript && self.options.user.is_empty();
            let heard = if prepares {
                let (listening, heard) = Heard::listen(output);
                output = listening;
                Some(heard)
            } else {
                None
            };
            let result = process::run(
                &program,
                &command.script,
                output,
                lines,
                &self.watchdog,
                cancel,
                process::PATIENCE,
            )
            .await;
            if let Some(heard) = heard {
                self.silent_profile = result.is_ok() && heard.is_one_line();
            }
            result
        })
    }

    fn terminal(&self) -> Option<Arc<dyn Terminal>> {
        Some(Arc::new(ShellTerminal {
            program: self.command_line(),
            working_directory: self.options.working_directory.clone(),
            watchdog: self.watchdog.clone(),
        }))
    }
}
