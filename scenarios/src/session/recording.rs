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
    /// Log of each job, as assembled from the accepted patches.
    pub traces: BTreeMap<i64, Vec<u8>>,
    /// `config.toml` before the first command; `None` = there was no file.
    pub config_before: Option<String>,
    /// `config.toml` after the last command.
    pub config_after: Option<String>,
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
}

/// Line before each command in `runner.log`.
const COMMAND_MARK: &str = "### gitlab-runner";

impl Recording {
    /// Reads the recording in `folder`.
    pub fn load(folder: &Path) -> Result<Recording, RecordingError> {
        let file = |name: &str| folder.join(name);
        let har_file = file("session.har");
        let exchanges = har::read(&read(&har_file)?).map_err(|error| at(&har_file, error))?;
        let result_file = file("result.json");
        let result: ResultFile = serde_json::from_slice(&read(&result_file)?)
            .map_err(|error| at(&result_file, error))?;
        let terminal = String::from_utf8_lossy(&optional(&file("runner.log"))?.unwrap_or_default())
            .into_owned();
        let text = |bytes: Option<Vec<u8>>| {
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Recording {
            name: result.name,
            about: result.doc,
            commands: result.commands,
            exchanges,
            traces: traces(folder)?,
            config_before: text(optional(&file("config.before.toml"))?),
            config_after: text(optional(&file("config.after.toml"))?),
            terminal: by_command(&terminal),
        })
    }
}

fn at(file: &Path, kind: impl Into<RecordingErrorKind>) -> RecordingError {
    RecordingError {
        file: file.to_owned(),
        kind: kind.into(),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, RecordingError> {
    fs::read(file).map_err(|error| at(file, error))
}

fn optional(file: &Path) -> Result<Option<Vec<u8>>, RecordingError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(file, error)),
    }
}

fn traces(folder: &Path) -> Result<BTreeMap<i64, Vec<u8>>, RecordingError> {
    let mut traces = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|error| at(folder, error))? {
        let path = entry.map_err(|error| at(folder, error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(id) = name.strip_prefix("trace-") else {
            continue;
        };
        let id = id
            .strip_suffix(".log")
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| at(&path, RecordingErrorKind::TraceName))?;
        traces.insert(id, read(&path)?);
    }
    Ok(traces)
}

/// Cuts the terminal's text at the lines that name the commands.
fn by_command(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with(COMMAND_MARK) {
            parts.push(String::new());
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
        assert_eq!(by_command(text), ["a\nb\n", "c\n"]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().expect("temp dir");
        let error = Recording::load(folder.path()).expect_err("nothing there");
        let text = error.to_string();
        assert!(text.contains("session.har: cannot be read"), "{text}");
    }
}
