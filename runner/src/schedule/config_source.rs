use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::{Config, ConfigError};

/// When a file was changed last; later changes are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(u128);

/// Where the configuration comes from and where a rotated token is saved.
///
/// The manager asks every 3 s whether it changed (runner.md 4.4).
pub trait ConfigSource: Send + Sync + fmt::Debug {
    /// The path shown in `Starting multi-runner from <file>...`.
    fn path(&self) -> &Path;
    /// Reads the file.
    fn load(&self) -> Result<Config, ConfigError>;
    /// When it was changed last. The error is a whole text: `stat <file>: no such file or directory`.
    fn revision(&self) -> Result<Revision, String>;
    /// Writes the file.
    fn save(&self, config: &Config) -> Result<(), ConfigError>;
}

/// A `config.toml` on disk; changed when its modification time is later than the remembered one.
#[derive(Clone, Debug)]
pub struct FileConfig {
    path: PathBuf,
}

impl FileConfig {
    /// The file at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileConfig { path: path.into() }
    }
}

impl ConfigSource for FileConfig {
    fn path(&self) -> &Path {
        &self.path
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.path)
    }

    fn revision(&self) -> Result<Revision, String> {
        let modified = std::fs::metadata(&self.path)
            .and_then(|metadata| metadata.modified())
            .map_err(|error| {
                let text = match error.kind() {
                    std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                    _ => error.to_string(),
                };
                format!("stat {}: {text}", self.path.display())
            })?;
        Ok(Revision(since_epoch(modified)))
    }

    fn save(&self, config: &Config) -> Result<(), ConfigError> {
        config.save(&self.path)
    }
}

fn since_epoch(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |duration| duration.as_nanos())
}

/// A `config.toml` in memory, for virtual time. A clone is the same file.
#[derive(Clone, Debug)]
pub struct MemoryConfig {
    path: PathBuf,
    file: Arc<Mutex<MemoryFile>>,
}

#[derive(Debug)]
struct MemoryFile {
    text: Option<String>,
    changes: u128,
}

impl MemoryConfig {
    /// A file with this text, called `/memory/config.toml`.
    pub fn new(text: impl Into<String>) -> Self {
        MemoryConfig {
            path: PathBuf::from("/memory/config.toml"),
            file: Arc::new(Mutex::new(MemoryFile {
                text: Some(text.into()),
                changes: 1,
            })),
        }
    }

    /// Replaces the text, with a later modification time; `None` deletes the file.
    pub fn set(&self, text: Option<String>) {
        let mut file = self.locked();
        file.text = text;
        file.changes += 1;
    }

    /// The text, if the file exists.
    pub fn text(&self) -> Option<String> {
        self.locked().text.clone()
    }

    fn locked(&self) -> MutexGuard<'_, MemoryFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConfigSource for MemoryConfig {
    fn path(&self) -> &Path {
        &self.path
    }

    fn load(&self) -> Result<Config, ConfigError> {
        match self.text() {
            Some(text) => Config::parse_with(&text, &|_| None),
            None => Ok(Config::default()),
        }
    }

    fn revision(&self) -> Result<Revision, String> {
        let file = self.locked();
        if file.text.is_some() {
            Ok(Revision(file.changes))
        } else {
            Err(format!(
                "stat {}: no such file or directory",
                self.path.display()
            ))
        }
    }

    fn save(&self, config: &Config) -> Result<(), ConfigError> {
        self.set(Some(config.to_toml()));
        Ok(())
    }
}
