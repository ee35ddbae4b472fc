//! Why a configuration cannot be used.

use std::path::PathBuf;

/// Why a `config.toml` cannot be read or written. Texts follow runner.md 3.1.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there, but cannot be read.
    #[error("decoding configuration file: read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no TOML, or a value has the wrong type.
    #[error("decoding configuration file: toml: line {line} (last key \"{key}\"): {what}")]
    Toml {
        /// Line, counted from 1.
        line: usize,
        /// The key that was being read, with its tables; empty if none was.
        key: String,
        /// What is wrong, and what was expected.
        what: String,
    },
    /// A value breaks a rule that spans keys.
    #[error("invalid config: {0}")]
    Invalid(String),
    /// The file cannot be written.
    #[error("saving the file: {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
