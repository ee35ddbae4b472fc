//! What the job's variables ask of the runner (runner.md 5.1, 5.2, 7.2).

/// How sources are got (runner.md 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitStrategy {
    /// Into an empty directory.
    Clone,
    /// Into what an earlier job left.
    Fetch,
    /// Not at all, and what is there stays.
    None,
    /// Not at all, and into an empty directory of its own.
    Empty,
}

/// Which submodules are updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmoduleStrategy {
    /// No submodules.
    None,
    /// Only those of the project.
    Normal,
    /// Those of submodules too.
    Recursive,
    /// A value that is no strategy: get_sources fails.
    Invalid,
}

/// Settings of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `CI_DEBUG_TRACE`, unless the configuration forbids it (RUN-VAR-08).
    pub debug_trace: bool,
    /// `GIT_STRATEGY`.
    pub git_strategy: GitStrategy,
    /// `GIT_CHECKOUT`.
    pub git_checkout: bool,
    /// `GIT_CLEAN_FLAGS`; empty: no clean.
    pub git_clean_flags: Vec<String>,
    /// `GIT_FETCH_EXTRA_FLAGS`.
    pub git_fetch_extra_flags: Vec<String>,
    /// `GIT_CLONE_EXTRA_FLAGS`, for native clones.
    pub git_clone_extra_flags: Vec<String>,
    /// `GIT_SUBMODULE_STRATEGY`.
    pub submodule_strategy: SubmoduleStrategy,
    /// `GIT_SUBMODULE_PATHS`.
    pub submodule_paths: Vec<String>,
    /// `GIT_SUBMODULE_DEPTH`; `None`: the depth of the job.
    pub submodule_depth: Option<i64>,
    /// `GIT_SUBMODULE_UPDATE_FLAGS`.
    pub submodule_update_flags: Vec<String>,
    /// `GIT_SUBMODULE_FORCE_HTTPS`.
    pub submodule_force_https: bool,
    /// `GIT_LFS_SKIP_SMUDGE`: the user skips LFS.
    pub lfs_skip_smudge: bool,
    /// `AFTER_SCRIPT_IGNORE_ERRORS`.
    pub after_script_ignore_errors: bool,
    /// Attempts of stages.
    pub attempts: Attempts,
}

/// Attempts, each from 1 to 10 (RUN-JOB-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// `ARTIFACT_DOWNLOAD_ATTEMPTS`.
    pub artifact_download: u32,
    /// `EXECUTOR_JOB_SECTION_ATTEMPTS`.
    pub executor_job_section: u32,
    /// `GET_SOURCES_ATTEMPTS`.
    pub get_sources: u32,
    /// `RESTORE_CACHE_ATTEMPTS`.
    pub restore_cache: u32,
    /// `SECRETS_RETRIEVAL_ATTEMPTS`.
    pub secrets: u32,
}

/// Go's Booleans.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

impl Settings {
    /// Reads the settings. `variable` gives the value of a variable after expansion, or the empty text;
    /// `allow_git_fetch` is the payload's. Every odd value adds a warning and leaves its default.
    pub fn read(
        variable: impl Fn(&str) -> String,
        allow_git_fetch: bool,
        debug_trace_disabled: bool,
        warnings: &mut Vec<String>,
    ) -> Self {
        let mut reader = Reader { variable, warnings };
        let after_script_ignore_errors = reader.boolean("AFTER_SCRIPT_IGNORE_ERRORS", true);
        let debug_trace = reader.boolean("CI_DEBUG_TRACE", false) && !debug_trace_disabled;
        let git_checkout = reader.boolean("GIT_CHECKOUT", true);
        let lfs_skip_smudge = reader.boolean("GIT_LFS_SKIP_SMUDGE", false);
        let submodule_force_https = reader.boolean("GIT_SUBMODULE_FORCE_HTTPS", false);
        let submodule_depth = reader.integer("GIT_SUBMODULE_DEPTH");
        let git_strategy = reader.git_strategy(allow_git_fetch);
        let submodule_strategy = reader.submodule_strategy();
        let attempts = Attempts {
            artifact_download: reader.attempts("ARTIFACT_DOWNLOAD_ATTEMPTS"),
            executor_job_section: reader.attempts("EXECUTOR_JOB_SECTION_ATTEMPTS"),
            get_sources: reader.attempts("GET_SOURCES_ATTEMPTS"),
            restore_cache: reader.attempts("RESTORE_CACHE_ATTEMPTS"),
            secrets: reader.attempts("SECRETS_RETRIEVAL_ATTEMPTS"),
        };
        Settings {
            debug_trace,
            git_strategy,
            git_checkout,
            git_clean_flags: reader.flags("GIT_CLEAN_FLAGS", &["-ffdx"]),
            git_fetch_extra_flags: reader.flags("GIT_FETCH_EXTRA_FLAGS", &["--prune", "--quiet"]),
            git_clone_extra_flags: reader.words("GIT_CLONE_EXTRA_FLAGS"),
            submodule_strategy,
            submodule_paths: reader.words("GIT_SUBMODULE_PATHS"),
            submodule_depth,
            submodule_update_flags: reader.words("GIT_SUBMODULE_UPDATE_FLAGS"),
            submodule_force_https,
            lfs_skip_smudge,
            after_script_ignore_errors,
            attempts,
        }
    }
}

/// Warning about a Boolean.
pub(super) fn expected_bool(name: &str, text: &str, default: bool) -> String {
    format!("{name}: expected bool got {text:?}, using default value: {default}")
}

struct Reader<'a, F> {
    variable: F,
    warnings: &'a mut Vec<String>,
}

impl<F: Fn(&str) -> String> Reader<'_, F> {
    fn boolean(&mut self, name: &str, default: bool) -> bool {
        let text = (self.variable)(name);
        if text.is_empty() {
            return default;
        }
        parse_bool(&text).unwrap_or_else(|| {
            self.warnings.push(expected_bool(name, &text, default));
            default
        })
    }

    fn integer(&mut self, name: &str) -> Option<i64> {
        let text = (self.variable)(name);
        if text.is_empty() {
            return None;
        }
        let value = text.parse().ok();
        if value.is_none() {
            self.warnings.push(format!(
                "{name}: expected int got {text:?}, using default value: 0"
            ));
        }
        value
    }

    fn attempts(&mut self, name: &str) -> u32 {
        let text = (self.variable)(name);
        if text.is_empty() {
            return 1;
        }
        let Ok(value) = text.parse::<i64>() else {
            self.warnings.push(format!(
                "{name}: expected int got {text:?}, using default value: 1"
            ));
            return 1;
        };
        let clamped = value.clamp(1, 10);
        if clamped != value {
            self.warnings.push(format!(
                "{name}: number of attempts out of the range [1, 10], clamping to: {clamped}"
            ));
        }
        u32::try_from(clamped).unwrap_or(1)
    }

    fn words(&self, name: &str) -> Vec<String> {
        (self.variable)(name)
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    /// Flags with a default, which `none` switches off (RUN-GIT-05).
    fn flags(&self, name: &str, default: &[&str]) -> Vec<String> {
        let words = self.words(name);
        match words.as_slice() {
            [] => default.iter().map(|&flag| flag.to_owned()).collect(),
            [only] if only == "none" => Vec::new(),
            _ => words,
        }
    }

    fn git_strategy(&mut self, allow_git_fetch: bool) -> GitStrategy {
        let (default, name) = if allow_git_fetch {
            (GitStrategy::Fetch, "fetch")
        } else {
            (GitStrategy::Clone, "clone")
        };
        match (self.variable)("GIT_STRATEGY").as_str() {
            "" => default,
            "clone" => GitStrategy::Clone,
            "fetch" => GitStrategy::Fetch,
            "none" => GitStrategy::None,
            "empty" => GitStrategy::Empty,
            other => {
                self.warnings.push(format!(
                    "GIT_STRATEGY: expected either 'clone', 'fetch', 'none' or 'empty' got {other:?}, \
                     using default value '{name}'"
                ));
                default
            }
        }
    }

    fn submodule_strategy(&mut self) -> SubmoduleStrategy {
        match (self.variable)("GIT_SUBMODULE_STRATEGY").as_str() {
            "" | "none" => SubmoduleStrategy::None,
            "normal" => SubmoduleStrategy::Normal,
            "recursive" => SubmoduleStrategy::Recursive,
            other => {
                self.warnings.push(format!(
                    "GIT_SUBMODULE_STRATEGY: expected either 'normal', 'recursive' or 'none' got {other:?}"
                ));
                SubmoduleStrategy::Invalid
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Settings, Vec<String>) {
        let mut warnings = Vec::new();
        let value = |name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map_or_else(String::new, |(_, value)| (*value).to_owned())
        };
        let settings = Settings::read(value, true, false, &mut warnings);
        (settings, warnings)
    }

    /// Warnings as in the recording `stamps` (job 3004).
    ///
    /// Proves RUN-JOB-07.
    #[test]
    fn odd_values_warn_and_keep_the_default() {
        let (settings, warnings) = read(&[
            ("GIT_CHECKOUT", "perhaps"),
            ("ARTIFACT_DOWNLOAD_ATTEMPTS", "x"),
            ("EXECUTOR_JOB_SECTION_ATTEMPTS", "11"),
            ("GET_SOURCES_ATTEMPTS", "99"),
            ("RESTORE_CACHE_ATTEMPTS", "0"),
        ]);
        assert_eq!(
            warnings,
            [
                "GIT_CHECKOUT: expected bool got \"perhaps\", using default value: true",
                "ARTIFACT_DOWNLOAD_ATTEMPTS: expected int got \"x\", using default value: 1",
                "EXECUTOR_JOB_SECTION_ATTEMPTS: number of attempts out of the range [1, 10], clamping to: 10",
                "GET_SOURCES_ATTEMPTS: number of attempts out of the range [1, 10], clamping to: 10",
                "RESTORE_CACHE_ATTEMPTS: number of attempts out of the range [1, 10], clamping to: 1",
            ]
        );
        assert!(settings.git_checkout);
        assert_eq!(settings.attempts.get_sources, 10);
        assert_eq!(settings.attempts.restore_cache, 1);
        assert_eq!(settings.attempts.artifact_download, 1);
    }

    /// Proves RUN-GIT-05.
    #[test]
    fn none_switches_flags_off() {
        let (default, _) = read(&[]);
        assert_eq!(default.git_clean_flags, ["-ffdx"]);
        assert_eq!(default.git_fetch_extra_flags, ["--prune", "--quiet"]);
        let (none, _) = read(&[
            ("GIT_CLEAN_FLAGS", "none"),
            ("GIT_FETCH_EXTRA_FLAGS", "none"),
        ]);
        assert!(none.git_clean_flags.is_empty());
        assert!(none.git_fetch_extra_flags.is_empty());
        let (own, _) = read(&[("GIT_CLEAN_FLAGS", "-ffd -e keep ")]);
        assert_eq!(own.git_clean_flags, ["-ffd", "-e", "keep"]);
    }

    /// The warning is in the recording `git-strategies` (job 1008).
    #[test]
    fn unknown_strategy() {
        let (settings, warnings) = read(&[("GIT_STRATEGY", "bogus")]);
        assert_eq!(settings.git_strategy, GitStrategy::Fetch);
        assert_eq!(
            warnings,
            [
                "GIT_STRATEGY: expected either 'clone', 'fetch', 'none' or 'empty' got \"bogus\", using default value 'fetch'"
            ]
        );
    }
}
