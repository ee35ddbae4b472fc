//! Why a configuration cannot be used.

use std::path::PathBuf;

/// Why a `config.toml` cannot be read or written. Texts follow runner.md 3.1.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there, but cannot be read.
    #[error("decoding configuration file: read {}: {}", path.display(), words(source))]
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
    #[error("saving the file: {}: {}", path.display(), words(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What the system says, in the form of the official runner: `is a directory`, not
/// `Is a directory (os error 21)`.
fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let Some((text, _)) = text.split_once(" (os error ") else {
        return text;
    };
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    // `I/O error` stays as it is.
    let lower = chars.as_str().starts_with(char::is_lowercase);
    let first = if lower {
        first.to_ascii_lowercase()
    } else {
        first
    };
    format!("{first}{}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of the recording `config-errors`.
    #[test]
    fn the_system_is_quoted_in_the_official_form() {
        let error = |number| words(&std::io::Error::from_raw_os_error(number));
        assert_eq!(error(nix::libc::EISDIR), "is a directory");
        assert_eq!(error(nix::libc::EACCES), "permission denied");
        assert_eq!(words(&std::io::Error::other("Ours stays")), "Ours stays");
    }
}
