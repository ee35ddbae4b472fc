use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Where the configuration comes from and where a rotated token is saved.
///
/// The manager asks every 3 s whether it changed (runner.md 4.4).
pub trait ConfigSource: Send + Sync + fmt::Debug {
    /// The path shown in `Starting multi-runner from <file>...`.
    fn path(&self) -> &Path;
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
}

/// A `config.toml` in memory, for virtual time. A clone is the same file.
#[derive(Clone, Debug)]
pub struct MemoryConfig {
    path: PathBuf,
    text: Arc<Mutex<Option<String>>>,
}

impl MemoryConfig {
    /// A file with this text, called `/memory/config.toml`.
    pub fn new(text: impl Into<String>) -> Self {
        MemoryConfig {
            path: PathBuf::from("/memory/config.toml"),
            text: Arc::new(Mutex::new(Some(text.into()))),
        }
    }

    /// Replaces the text, with a later modification time; `None` deletes the file.
    pub fn set(&self, text: Option<String>) {
        *self
            .text
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = text;
    }
}

impl ConfigSource for MemoryConfig {
    fn path(&self) -> &Path {
        &self.path
    }
}
