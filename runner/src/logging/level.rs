use std::str::FromStr;

/// How grave a record is, with logrus' names (runner.md 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The process panics; exit code 1.
    Panic,
    /// The process ends; exit code 1.
    Fatal,
    /// Something failed.
    Error,
    /// Something is odd.
    Warning,
    /// What an operator wants to see.
    Info,
    /// What a developer wants to see.
    Debug,
    /// Accepted as a setting; the runner has no such records.
    Trace,
}

/// A name that is no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid logrus Level: {0:?}")]
pub struct UnknownLevel(pub String);

impl FromStr for Level {
    type Err = UnknownLevel;

    /// Reads a level in any case; `warn` is `warning`.
    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "panic" => Level::Panic,
            "fatal" => Level::Fatal,
            "error" => Level::Error,
            "warn" | "warning" => Level::Warning,
            "info" => Level::Info,
            "debug" => Level::Debug,
            "trace" => Level::Trace,
            _ => return Err(UnknownLevel(text.to_owned())),
        })
    }
}

impl Level {
    /// The name in formats text and json.
    pub fn name(self) -> &'static str {
        match self {
            Level::Panic => "panic",
            Level::Fatal => "fatal",
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

/// Form of a record (runner.md 2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Coloured lines for people, `--log-format runner`.
    #[default]
    Runner,
    /// `time="…" level=… msg="…" key=value`.
    Text,
    /// As [`Format::Text`] with whole seconds: what is logged before level and format are known.
    TextSeconds,
    /// One JSON object per line.
    Json,
}

/// A name that is no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown log format {0:?}, expected one of: [json runner text]")]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Ok(match text {
            "runner" => Format::Runner,
            "text" => Format::Text,
            "json" => Format::Json,
            _ => return Err(UnknownFormat(text.to_owned())),
        })
    }
}
