//! The seed file of `mock-gitlab serve`: the world at the beginning, in YAML.
//!
//! Members of projects, runners and jobs are those of [`crate::world`]; names are used instead of ids.
//!
//! ```yaml
//! projects:
//!   group/demo:
//!     files: {README.md: "hello\n"}
//! runners:
//!   main: {tags: [linux]}
//! pipelines:
//!   - project: group/demo
//!     jobs:
//!       - {name: test, script: [cat README.md]}
//! ```

mod apply;
mod format;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use apply::{Seeded, apply};
pub use format::{PipelineDefinition, PipelineSeed, ProjectSeed, RunnerSeed, Seed};

/// The world when no file is given: one project with a repository, one runner, two jobs.
pub const DEFAULT: &str = include_str!("default.yml");

/// Why a seed file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It cannot be read.
    #[error("{file}: cannot be read: {error}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is no seed file.
    #[error("{file}:{line}: {problem}")]
    Format {
        /// The file.
        file: String,
        /// Line, from 1; 0 = unknown.
        line: u64,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// The world does not take it.
    #[error("{file}: {place}: {problem}")]
    World {
        /// The file.
        file: String,
        /// Such as `pipelines[0]`.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

/// Reads the file at `path`.
pub fn load(path: &Path) -> Result<Seed, SeedError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| SeedError::Read {
        file: file.clone(),
        error,
    })?;
    parse(&file, &text)
}

/// Reads a text; `file` is for errors.
pub fn parse(file: &str, text: &str) -> Result<Seed, SeedError> {
    from_yaml(file, text)
}

/// Reads the jobs of one pipeline; `file` is for errors.
pub fn parse_pipeline(file: &str, text: &str) -> Result<PipelineDefinition, SeedError> {
    from_yaml(file, text)
}

fn from_yaml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, SeedError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        let message = error.without_snippet().to_string();
        let first = message.lines().next().unwrap_or("not a seed file");
        let first = first.strip_prefix("error: ").unwrap_or(first);
        let problem = match first
            .strip_prefix("line ")
            .and_then(|rest| rest.split_once(": "))
        {
            Some((_, problem)) => problem,
            None => first,
        };
        SeedError::Format {
            file: file.to_owned(),
            line,
            problem: problem.to_owned(),
        }
    })
}
