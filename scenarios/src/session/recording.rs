//! One recording: a folder with `session.har`, the configuration, the log of each job, what the runner
//! wrote to its terminal, and the commands with their exit codes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::har::{self, Exchange, HarError};

/// A recorded session.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Name, as that of its folder.
    pub name: String,
    /// What happens in it.
    pub about: String,
    /// The commands, in order.
    pub commands: Vec<Command>,
    /// Every exchange, in order of arrival.
    pub exchanges: Vec<Exchange>,
    /// When the first of them arrived; `None` = it is not known.
    pub began: Option<jiff::Timestamp>,
    /// Log of each job, as assembled from the accepted patches.
    pub traces: BTreeMap<i64, Vec<u8>>,
    /// Whether the checksum of each job's final update fitted its log at the server; `None` = there was
    /// no such update, or no log.
    pub fitted: BTreeMap<i64, Option<bool>>,
    /// `config.toml` before the first command; `None` = there was no file.
    pub config_before: Option<String>,
    /// `config.toml` after the last command.
    pub config_after: Option<String>,
    /// Other configurations that commands read or wrote, by name, after the last command.
    pub files: BTreeMap<String, String>,
    /// What the runner wrote to its terminal, by command.
    pub terminal: Vec<String>,
}

/// One command line of a session.
#[derive(Clone, Debug, Deserialize)]
pub struct Command {
    /// Arguments behind the program's name.
    pub args: Vec<String>,
    /// Exit code.
    pub exit: i32,
    /// How long it ran, s.
    #[serde(rename = "seconds")]
    pub took_s: f64,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", .file.display())]
pub struct RecordingError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub kind: RecordingErrorKind,
}

/// What is wrong with a file of a recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingErrorKind {
    /// The file system says no.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// `session.har`.
    #[error(transparent)]
    Har(#[from] HarError),
    /// `result.json`.
    #[error("is not the result of a session: {0}")]
    Result(#[from] serde_json::Error),
    /// A name such as `trace-x.log`.
    #[error("expected `trace-<job id>.log`")]
    TraceName,
}

#[derive(Deserialize)]
struct ResultFile {
    name: String,
    #[serde(default)]
    doc: String,
    commands: Vec<Command>,
    #[serde(default)]
    jobs: BTreeMap<i64, JobResult>,
}

#[derive(Deserialize)]
struct JobResult {
    #[serde(default)]
    crc_ok: Option<bool>,
}

/// Line before each command in `runner.log`.
const COMMAND_MARK: &str = "### gitlab-runner";

impl Recording {
    /// Reads the recording in `folder`.
    pub fn load(folder: &Path) -> Result<Recording, RecordingError> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(|error| at(folder, error))? {
            let path = entry.map_err(|error| at(folder, error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let known = name.starts_with("trace-")
                || name.ends_with(CONFIGURATION)
                || FILES.contains(&name.as_ref());
            if path.is_file() && known {
                let bytes = fs::read(&path).map_err(|error| at(&path, error))?;
                files.insert(name.into_owned(), bytes);
            }
        }
        Recording::from_files(folder, &files)
    }

    /// Reads a recording from its files, by name. `folder` is for errors.
    pub fn from_files<B: AsRef<[u8]>>(
        folder: &Path,
        files: &BTreeMap<String, B>,
    ) -> Result<Recording, RecordingError> {
        let needed = |name: &str| {
            let path = folder.join(name);
            match files.get(name) {
                Some(bytes) => Ok((bytes.as_ref(), path)),
                None => Err(at(
                    &path,
                    std::io::Error::from(std::io::ErrorKind::NotFound),
                )),
            }
        };
        let text = |name: &str| {
            let bytes = files.get(name)?;
            Some(String::from_utf8_lossy(bytes.as_ref()).into_owned())
        };
        let (bytes, path) = needed("session.har")?;
        let exchanges = har::read(bytes).map_err(|error| at(&path, error))?;
        let began = har::began(bytes);
        let (bytes, path) = needed("result.json")?;
        let result: ResultFile = serde_json::from_slice(bytes).map_err(|error| at(&path, error))?;
        let terminal = by_command(&text("runner.log").unwrap_or_default(), &result.commands);
        let mut traces = BTreeMap::new();
        for (name, bytes) in files {
            let Some(id) = name.strip_prefix("trace-") else {
                continue;
            };
            let id = id
                .strip_suffix(".log")
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| at(&folder.join(name), RecordingErrorKind::TraceName))?;
            traces.insert(id, bytes.as_ref().to_vec());
        }
        Ok(Recording {
            name: result.name,
            about: result.doc,
            commands: result.commands,
            exchanges,
            began,
            traces,
            fitted: result
                .jobs
                .into_iter()
                .map(|(id, job)| (id, job.crc_ok))
                .collect(),
            config_before: text("config.before.toml"),
            config_after: text("config.after.toml"),
            files: files
                .keys()
                .filter(|name| name.ends_with(CONFIGURATION) && !FILES.contains(&name.as_str()))
                .filter_map(|name| Some((name.clone(), text(name)?)))
                .collect(),
            terminal,
        })
    }
}

/// Files of a recording, beside the logs of jobs.
const FILES: [&str; 5] = [
    "session.har",
    "result.json",
    "runner.log",
    "config.before.toml",
    "config.after.toml",
];

/// How the names of configurations end.
const CONFIGURATION: &str = ".toml";

fn at(file: &Path, kind: impl Into<RecordingErrorKind>) -> RecordingError {
    RecordingError {
        file: file.to_owned(),
        kind: kind.into(),
    }
}

/// Cuts the terminal's text at the lines that name the commands. A command with line breaks takes several.
fn by_command(text: &str, commands: &[Command]) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut of_command = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with(COMMAND_MARK) {
            let command = commands.get(parts.len());
            of_command = command.map_or(0, |command| command.args.join(" ").matches('\n').count());
            parts.push(String::new());
        } else if of_command > 0 {
            of_command -= 1;
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_is_cut_by_command() {
        let text = "### gitlab-runner list\na\nb\n### gitlab-runner run\nc\n";
        assert_eq!(by_command(text, &[]), ["a\nb\n", "c\n"]);
        let command = Command {
            args: vec!["--env".to_owned(), "A=1\n2".to_owned()],
            exit: 0,
            took_s: 0.0,
        };
        let text = "### gitlab-runner --env A=1\n2\na\n### gitlab-runner run\nc\n";
        assert_eq!(by_command(text, &[command]), ["a\n", "c\n"]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().expect("temp dir");
        let error = Recording::load(folder.path()).expect_err("nothing there");
        let text = error.to_string();
        assert!(text.contains("session.har: cannot be read"), "{text}");
    }
}
