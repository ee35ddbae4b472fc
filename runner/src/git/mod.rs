//! How a job gets its sources and what is left of them (runner.md 7).
//!
//! - [`GitContext`]: what the scripts are made from; [`Remote`]: where the sources come from.
//! - [`get_sources`], [`finish`], [`cleanup`], [`clear_worktree`]: parts of stage scripts.

mod cleanup;
mod config;
mod context;
mod get_sources;
mod submodules;
mod url;

pub use cleanup::{cleanup, clear_worktree, reject_credentials};
pub use config::export_global_config;
pub use context::GitContext;
pub use get_sources::{finish, get_sources};
pub use url::{Remote, RemoteUrl, without_credentials};

/// Why the script of `get_sources` cannot be written (RUN-JOB-29).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// `GIT_SUBMODULE_STRATEGY` has a value that is no strategy.
    #[error("unknown GIT_SUBMODULE_STRATEGY")]
    SubmoduleStrategy,
    /// `GIT_SUBMODULE_PATHS` has a path that git does not understand.
    #[error("GIT_SUBMODULE_PATHS: invalid submodule pathspec {paths:?}")]
    SubmodulePathspec {
        /// The path as it was given.
        paths: Vec<String>,
    },
}
