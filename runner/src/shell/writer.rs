use std::fmt::Write as _;

use super::quote::{Quoting, expanding};

/// Green of notices, as script lines print it.
pub(crate) const GREEN: &str = "\x1b[32;1m";
/// Yellow of warnings.
pub(crate) const YELLOW: &str = "\x1b[0;33m";
/// Red of errors.
pub(crate) const RED: &str = "\x1b[31;1m";
/// End of a colour.
pub(crate) const RESET: &str = "\x1b[0;m";

/// Writes the body of a stage's script, line by line, for sh and bash.
#[derive(Clone, Debug)]
pub struct ScriptWriter {
    body: String,
    depth: usize,
    quoting: Quoting,
    check_exit_code: bool,
    /// Somebody reads what runs (`CI_DEBUG_TRACE`): commands are as the official runner has them.
    traced: bool,
}

impl ScriptWriter {
    /// An empty body.
    pub fn new(quoting: Quoting, check_exit_code: bool) -> Self {
        ScriptWriter {
            body: String::new(),
            depth: 0,
            quoting,
            check_exit_code,
            traced: false,
        }
    }

    /// The same for a script whose commands are printed. Otherwise the shell looks first whether there
    /// is anything to do: starting a program takes it longer than all else that it does.
    #[must_use]
    pub fn traced(mut self, traced: bool) -> Self {
        self.traced = traced;
        self
    }

    /// Whether commands are as the official runner has them.
    pub fn is_traced(&self) -> bool {
        self.traced
    }

    /// A command behind a test of the shell's own, which holds when there is nothing to do.
    fn unless(&mut self, test: &str, command: &str) {
        if self.traced {
            self.line(command);
        } else {
            self.line(&format!("{test} || {command}"));
        }
    }

    /// How this script quotes words.
    pub fn quoting(&self) -> Quoting {
        self.quoting
    }

    /// The body so far.
    pub fn into_body(self) -> String {
        self.body
    }

    /// A line of shell code, indented by the blocks around it.
    pub fn line(&mut self, code: &str) {
        for _ in 0..self.depth {
            self.body.push_str("  ");
        }
        self.body.push_str(code);
        self.body.push('\n');
    }

    /// Opens a block such as `if …; then`.
    pub fn open(&mut self, code: &str) {
        self.line(code);
        self.depth += 1;
    }

    /// Ends one branch of a block and begins the next, as `else`.
    pub fn middle(&mut self, code: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.open(code);
    }

    /// Closes a block.
    pub fn close(&mut self, code: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.line(code);
    }

    /// `export NAME=value`. A name that is no identifier fails the stage (recording
    /// `gitlab-env-bad-lines`).
    pub fn export(&mut self, name: &str, value: &str) {
        let name = self.quoting.word(name);
        let value = self.quoting.word(value);
        self.line(&format!("export {name}={value}"));
    }

    /// Prints a line as it is.
    pub fn print(&mut self, text: &str) {
        let word = self.quoting.word(text);
        self.line(&format!("echo {word}"));
    }

    /// Prints a green line.
    pub fn notice(&mut self, text: &str) {
        self.print(&format!("{GREEN}{text}{RESET}"));
    }

    /// Prints a yellow line.
    pub fn warning(&mut self, text: &str) {
        self.print(&format!("{YELLOW}{text}{RESET}"));
    }

    /// Prints a red line.
    pub fn error(&mut self, text: &str) {
        self.print(&format!("{RED}{text}{RESET}"));
    }

    /// Prints an empty line.
    pub fn blank(&mut self) {
        self.line("echo");
    }

    /// Runs a command whose words are quoted as needed.
    pub fn command(&mut self, words: &[&str]) {
        let command = self.join(words);
        self.line(&command);
        self.exit_check();
    }

    /// The words of a command, quoted, as code.
    pub fn join(&self, words: &[&str]) -> String {
        let mut command = String::new();
        for word in words {
            if !command.is_empty() {
                command.push(' ');
            }
            command.push_str(&self.quoting.word(word));
        }
        command
    }

    /// Runs code of the user, as it is.
    pub fn user_code(&mut self, code: &str) {
        self.body.push_str(code);
        self.body.push('\n');
        self.exit_check();
    }

    /// With `FF_ENABLE_BASH_EXIT_CODE_CHECK` every command is followed by an explicit check, for shells
    /// in which `errexit` does not work.
    pub fn exit_check(&mut self) {
        if self.check_exit_code {
            self.line("_status=$?; if [ $_status -ne 0 ]; then exit $_status; fi");
        }
    }

    /// Changes the working directory.
    pub fn cd(&mut self, path: &str) {
        let path = self.quoting.word(path);
        self.line(&format!("cd {path}"));
        self.exit_check();
    }

    /// Makes a directory and its parents.
    pub fn mkdir(&mut self, path: &str) {
        let path = expanding(path);
        self.unless(&format!("[ -d {path} ]"), &format!("mkdir -p {path}"));
    }

    /// Makes an empty file if it is not there.
    pub fn touch(&mut self, path: &str) {
        let path = expanding(path);
        if self.traced {
            self.line(&format!("touch {path}"));
        } else {
            self.line(&format!(": >> {path}"));
        }
    }

    /// Deletes a file if it is there.
    pub fn remove_file(&mut self, path: &str) {
        let path = expanding(path);
        let gone = format!("[ ! -e {path} ] && [ ! -L {path} ]");
        self.unless(&gone, &format!("rm \"-f\" {path}"));
        self.exit_check();
    }

    /// Deletes these files where they are there, by one program.
    pub fn remove_files(&mut self, paths: &[String]) {
        if self.traced {
            for path in paths {
                self.remove_file(path);
            }
            return;
        }
        self.line("set --");
        for path in paths {
            let path = expanding(path);
            self.line(&format!(
                "[ ! -e {path} ] && [ ! -L {path} ] || set -- \"$@\" {path}"
            ));
        }
        self.line("[ $# -eq 0 ] || rm -f \"$@\"");
        self.exit_check();
    }

    /// Deletes a directory and all in it if it is there.
    pub fn remove_dir(&mut self, path: &str) {
        let path = expanding(path);
        let gone = format!("[ ! -e {path} ] && [ ! -L {path} ]");
        self.unless(&gone, &format!("rm \"-r\" \"-f\" {path}"));
        self.exit_check();
    }

    /// Deletes the files called `pattern` anywhere below `path`, if that is a directory.
    pub fn remove_files_below(&mut self, path: &str, pattern: &str) {
        let path = expanding(path);
        self.open(&format!("if [ -d {path} ]; then"));
        // Not every `find` can collect arguments with `+`.
        self.line(&format!(
            "et='+' ; find /dev/null -exec true {{}} + 2>/dev/null || et=';' ; \
             find {path} -name \"{pattern}\" -type f -exec rm -f {{}} \"${{et}}\""
        ));
        self.close("fi");
    }

    /// Deletes the directories called `name` anywhere below `path`, if that is a directory.
    pub fn remove_dirs_below(&mut self, path: &str, name: &str) {
        let path = expanding(path);
        self.open(&format!("if [ -d {path} ]; then"));
        self.line(&format!(
            "find {path} -depth -name \"{name}\" -type d -exec rm -rf {{}} \\;"
        ));
        self.close("fi");
    }

    /// Writes `content` to a file, without a newline at its end.
    pub fn write_file(&mut self, path: &str, content: &str) {
        let content = self.quoting.word(content);
        let mut code = String::new();
        let _ = write!(code, "printf '%s' {content} > {}", expanding(path));
        self.line(&code);
    }
}
