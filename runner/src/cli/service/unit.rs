//! The unit file.

use std::fmt::Write as _;
use std::path::PathBuf;

/// What a unit runs.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) executable: PathBuf,
    pub(super) config: PathBuf,
    pub(super) working_directory: PathBuf,
    /// Pass `--syslog`; under systemd its journal has the log anyway.
    pub(super) syslog: bool,
    /// `--user` of `run`; empty: none.
    pub(super) user: String,
    /// User of the service itself; empty: root, or the user whose service it is.
    pub(super) init_user: String,
}

impl Unit {
    /// The arguments of the service (runner.md 2.6).
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "run".to_owned(),
            "--config".to_owned(),
            self.config.display().to_string(),
            "--working-directory".to_owned(),
            self.working_directory.display().to_string(),
            "--service".to_owned(),
            self.name.clone(),
        ];
        if self.syslog {
            arguments.push("--syslog".to_owned());
        }
        if !self.user.is_empty() {
            arguments.extend(["--user".to_owned(), self.user.clone()]);
        }
        arguments
    }

    /// The text of the file. `for_user`: of a user's own systemd.
    pub(super) fn text(&self, for_user: bool) -> String {
        let executable = quoted(&self.executable.display().to_string());
        let arguments: Vec<String> = self.arguments().iter().map(|text| quoted(text)).collect();
        let mut text = format!(
            "[Unit]\nDescription=GitLab Runner\nConditionFileIsExecutable={}\nAfter=network.target\n\n[Service]\nExecStart={executable} {}\nRestart=always\nRestartSec=120\nEnvironmentFile=-/etc/sysconfig/{}\n",
            specifiers(&self.executable.display().to_string()),
            arguments.join(" "),
            self.name
        );
        if !self.init_user.is_empty() {
            let _ = writeln!(text, "User={}", self.init_user);
        }
        let target = if for_user {
            "default.target"
        } else {
            "multi-user.target"
        };
        let _ = write!(text, "\n[Install]\nWantedBy={target}\n");
        text
    }
}

/// `%` starts a specifier in unit files.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word of a command line in a unit file.
fn quoted(text: &str) -> String {
    let mut word = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                word.push('\\');
                word.push(c);
            }
            '$' => word.push_str("$$"),
            '%' => word.push_str("%%"),
            '\n' => word.push_str("\\n"),
            c => word.push(c),
        }
    }
    word.push('"');
    word
}
