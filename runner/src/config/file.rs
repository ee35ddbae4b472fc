//! The configuration file.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::decode::{Decoded, decode};
use super::encode::encode;
use super::error::ConfigError;
use super::labels;
use super::runner_config::RunnerConfig;
use super::schema::ROOT;
use super::section::{Section, Value};

const DEFAULT_CHECK_INTERVAL_S: u64 = 3;
const DEFAULT_SHUTDOWN_TIMEOUT_S: u64 = 30;
const DEFAULT_SESSION_TIMEOUT_S: i64 = 1800;
const DEFAULT_CONNECTION_MAX_AGE: Duration = Duration::from_mins(15);

/// How the names of files begin that become the configuration in one step.
const TEMPORARY: &str = ".config.toml.";
/// How old such a file is when nobody can be writing it any more.
const ABANDONED: Duration = Duration::from_mins(10);

/// A configuration: the file as a tree, and what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    root: Section,
    runners: Vec<RunnerConfig>,
    unknown: Vec<String>,
}

impl Default for Config {
    /// An empty file that is about to be written for the first time.
    fn default() -> Self {
        let mut root = Section::new(&ROOT);
        root.set("concurrent", Value::Integer(1));
        let mut config = Config {
            root,
            runners: Vec::new(),
            unknown: Vec::new(),
        };
        config.fill_session_server();
        config
    }
}

impl Config {
    /// Decodes a text. Variables of `url` and `token` come from the environment of this process.
    pub fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse_with(text, &|name| std::env::var(name).ok())
    }

    /// Decodes a text with variables from `lookup`.
    pub fn parse_with(
        text: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        let Decoded { mut root, unknown } = decode(text)?;
        if root.get("concurrent").is_none() {
            root.set("concurrent", Value::Integer(1));
        }
        if root.get("connection_max_age").is_none() {
            let nanos = DEFAULT_CONNECTION_MAX_AGE.as_nanos() as i64;
            root.set("connection_max_age", Value::Duration(nanos));
        }
        // A later save writes what was expanded (runner.md 3.1).
        if let Some(Value::Tables(entries)) = root.values.get_mut("runners") {
            for entry in entries {
                for key in ["url", "token"] {
                    let text = super::expand::expand_with(entry.text(key), lookup);
                    if entry.get(key).is_some() {
                        entry.set(key, Value::Text(text));
                    }
                }
            }
        }
        let mut config = Config {
            root,
            runners: Vec::new(),
            unknown,
        };
        config.fill_session_server();
        config.refresh()?;
        Ok(config)
    }

    /// Reads the file at `path`. A missing file is an empty configuration (RUN-CFG-01).
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        match fs::read(path) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Config::parse(&text),
                Err(error) => Err(ConfigError::Toml {
                    line: 1 + memchr::memchr_iter(
                        b'\n',
                        &error.as_bytes()[..error.utf8_error().valid_up_to()],
                    )
                    .count(),
                    key: String::new(),
                    what: "invalid UTF-8; the file must be UTF-8".to_owned(),
                }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
            Err(source) => Err(ConfigError::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// The text that [`Config::save`] writes.
    pub fn to_toml(&self) -> String {
        encode(&self.root)
    }

    /// Writes the file: whole or not at all, at the end of a symbolic link, with the mode that it had.
    /// A new file has mode 0600, a new folder 0700 (RUN-CFG-13).
    pub fn save(&self, path: &Path) -> Result<(), ConfigError> {
        let write_error = |source| ConfigError::Write {
            path: path.to_owned(),
            source,
        };
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        make_folder(&folder).map_err(write_error)?;
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&folder)
            .map_err(write_error)?;
        file.write_all(self.to_toml().as_bytes())
            .and_then(|()| file.as_file().sync_all())
            .map_err(write_error)?;
        if let Ok(old) = fs::metadata(&target) {
            file.as_file()
                .set_permissions(old.permissions())
                .map_err(write_error)?;
        }
        file.persist(&target)
            .map_err(|error| write_error(error.error))?;
        // The rename lasts too. Not every file system can do that, and the file is whole either way.
        let _ = fs::File::open(&folder).and_then(|folder| folder.sync_all());
        sweep(&folder);
        Ok(())
    }

    fn fill_session_server(&mut self) {
        if let Some(server) = self.root.table_mut("session_server")
            && server.integer("session_timeout") <= 0
        {
            server.set("session_timeout", Value::Integer(DEFAULT_SESSION_TIMEOUT_S));
        }
    }

    /// Works out the entries again after a change of the tree.
    fn refresh(&mut self) -> Result<(), ConfigError> {
        let global_labels = self.root.text_map("labels");
        labels::check(&global_labels, "global").map_err(ConfigError::Invalid)?;
        self.runners = self
            .root
            .tables("runners")
            .iter()
            // The tree is expanded already.
            .map(|section| RunnerConfig::new(section, &global_labels, &|_| None))
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    /// The entries, in file order.
    pub fn runners(&self) -> &[RunnerConfig] {
        &self.runners
    }

    /// The entries as tables.
    pub fn entries(&self) -> &[Section] {
        self.root.tables("runners")
    }

    /// An entry that is not in the file yet.
    pub fn new_entry() -> Section {
        match ROOT.key("runners").and_then(|key| key.kind.table()) {
            Some(schema) => Section::new(schema),
            None => Section::new(&ROOT),
        }
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: Section) -> Result<(), ConfigError> {
        let mut entries = self.entries().to_vec();
        entries.push(entry);
        self.set_entries(entries)
    }

    /// Keeps the entries for which `keep` says so; how many went.
    pub fn retain(&mut self, mut keep: impl FnMut(&RunnerConfig) -> bool) -> usize {
        let before = self.runners.len();
        let kept: Vec<Section> = self
            .entries()
            .iter()
            .zip(&self.runners)
            .filter(|(_, runner)| keep(runner))
            .map(|(section, _)| section.clone())
            .collect();
        let gone = before - kept.len();
        if gone > 0 && self.set_entries(kept).is_err() {
            // Fewer entries break no rule that more of them held.
            return 0;
        }
        gone
    }

    /// Changes the entry `index`.
    pub fn change(
        &mut self,
        index: usize,
        change: impl FnOnce(&mut Section),
    ) -> Result<(), ConfigError> {
        let mut entries = self.entries().to_vec();
        if let Some(entry) = entries.get_mut(index) {
            change(entry);
        }
        self.set_entries(entries)
    }

    fn set_entries(&mut self, entries: Vec<Section>) -> Result<(), ConfigError> {
        let before = self.clone();
        if entries.is_empty() {
            self.root.unset("runners");
        } else {
            self.root.set("runners", Value::Tables(entries));
        }
        self.refresh().inspect_err(|_| *self = before)
    }

    /// Keys that nobody knows, with their tables.
    pub fn unknown_keys(&self) -> &[String] {
        &self.unknown
    }

    /// The global table.
    pub fn global(&self) -> &Section {
        &self.root
    }

    /// `concurrent`; below 1 nothing runs (RUN-CFG-05).
    pub fn concurrent(&self) -> i64 {
        self.root.integer("concurrent")
    }

    /// `check_interval`; 3 s unless positive (RUN-CFG-06).
    pub fn check_interval(&self) -> Duration {
        seconds(
            self.root.integer("check_interval"),
            DEFAULT_CHECK_INTERVAL_S,
        )
    }

    /// `shutdown_timeout`; 30 s unless positive (RUN-CFG-06).
    pub fn shutdown_timeout(&self) -> Duration {
        seconds(
            self.root.integer("shutdown_timeout"),
            DEFAULT_SHUTDOWN_TIMEOUT_S,
        )
    }

    /// `connection_max_age`; 15 min by default.
    pub fn connection_max_age(&self) -> Duration {
        self.root
            .duration("connection_max_age")
            .filter(|nanos| *nanos > 0)
            .map_or(DEFAULT_CONNECTION_MAX_AGE, |nanos| {
                Duration::from_nanos(nanos.unsigned_abs())
            })
    }
}

fn seconds(number: i64, default: u64) -> Duration {
    Duration::from_secs(
        u64::try_from(number)
            .ok()
            .filter(|n| *n > 0)
            .unwrap_or(default),
    )
}

/// Removes what a process left that was killed while it saved.
fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
            continue;
        }
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED) {
            // It is tried again with the next save.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Where the file stands by default: `/etc/gitlab-runner/config.toml` for root, else
/// `~/.gitlab-runner/config.toml` (RUN-CLI-03).
pub fn default_path() -> PathBuf {
    if nix::unistd::Uid::effective().is_root() {
        return PathBuf::from("/etc/gitlab-runner/config.toml");
    }
    let home = std::env::var_os("HOME").unwrap_or_default();
    PathBuf::from(home).join(".gitlab-runner/config.toml")
}
