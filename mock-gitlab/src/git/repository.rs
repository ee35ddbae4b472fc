//! Bare repositories, made from files by git itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A commit to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Message.
    pub message: String,
    /// All files of the commit, by path. A text that begins with `#!` is executable.
    pub files: BTreeMap<String, String>,
}

/// Why a repository cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// git cannot be started; it must be installed.
    #[error("git cannot be started: {0}; install git, it serves the repositories")]
    Start(std::io::Error),
    /// git said no.
    #[error("git {command}: {message}")]
    Git {
        /// The command.
        command: String,
        /// What it wrote.
        message: String,
    },
    /// There is nothing to commit.
    #[error("a repository needs at least one commit")]
    Empty,
}

/// First commit's date; each following one is a minute later, so that ids never change.
const FIRST_COMMIT_S: u64 = 1_767_225_600;

/// Makes a bare repository at `path` with `commits` on `branch`; gives the id of each commit.
pub fn create(
    path: &Path,
    branch: &str,
    commits: &[Commit],
) -> Result<Vec<String>, RepositoryError> {
    if commits.is_empty() {
        return Err(RepositoryError::Empty);
    }
    let location = path.display().to_string();
    git(
        &[
            "init",
            "--quiet",
            "--bare",
            "--initial-branch",
            branch,
            &location,
        ],
        &[],
    )?;
    let mut stream = String::new();
    for (number, commit) in commits.iter().enumerate() {
        let when = FIRST_COMMIT_S + 60 * number as u64;
        let _ = writeln!(stream, "commit refs/heads/{branch}\nmark :{}", number + 1);
        let _ = writeln!(
            stream,
            "committer Gauntlet <gauntlet@example.com> {when} +0000"
        );
        let _ = writeln!(stream, "data {}\n{}", commit.message.len(), commit.message);
        stream.push_str("deleteall\n");
        for (name, text) in &commit.files {
            let mode = if text.starts_with("#!") {
                "100755"
            } else {
                "100644"
            };
            let _ = writeln!(
                stream,
                "M {mode} inline {name}\ndata {}\n{text}",
                text.len()
            );
        }
    }
    git(
        &["--git-dir", &location, "fast-import", "--quiet"],
        stream.as_bytes(),
    )?;
    let list = git(
        &[
            "--git-dir",
            &location,
            "rev-list",
            "--reverse",
            &format!("refs/heads/{branch}"),
        ],
        &[],
    )?;
    Ok(list.lines().map(str::to_owned).collect())
}

/// Lets a reference such as `refs/pipelines/7` point at `commit`.
pub fn set_ref(path: &Path, name: &str, commit: &str) -> Result<(), RepositoryError> {
    let location = path.display().to_string();
    git(&["--git-dir", &location, "update-ref", name, commit], &[])?;
    Ok(())
}

/// The commit of a branch, else of a tag, and whether it is a tag; `None` if there is neither.
pub fn resolve(path: &Path, name: &str) -> Option<(String, bool)> {
    let location = path.display().to_string();
    [("heads", false), ("tags", true)]
        .into_iter()
        .find_map(|(kind, tag)| {
            let full = format!("refs/{kind}/{name}");
            let show = [
                "--git-dir",
                &location,
                "show-ref",
                "--verify",
                "--hash",
                &full,
            ];
            let sha = git(&show, &[]).ok()?;
            Some((sha.trim().to_owned(), tag))
        })
}

/// Runs git with `input`; gives its output as text.
pub(super) fn git(args: &[&str], input: &[u8]) -> Result<String, RepositoryError> {
    let output = git_bytes(args, input)?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

/// Runs git with `input`; gives its output.
pub(super) fn git_bytes(args: &[&str], input: &[u8]) -> Result<Vec<u8>, RepositoryError> {
    let mut child = Command::new("git")
        .args(args)
        // What somebody has set for himself makes no other repository.
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(RepositoryError::Start)?;
    let stdin = child.stdin.take();
    // Beside each other, because git may write much before it has read all.
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            // git that stops early says why on its own.
            stdin.map(|mut stdin| stdin.write_all(input))
        });
        child.wait_with_output()
    });
    let output = output.map_err(RepositoryError::Start)?;
    if !output.status.success() {
        return Err(RepositoryError::Git {
            command: args.join(" "),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(output.stdout)
}
