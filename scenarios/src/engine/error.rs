//! Why a scenario could not be played at all. A scenario that was played and failed is no error.

use std::io;

use mock_gitlab::world::SetupError;

use super::timeline::StepError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The file system, the network, or a process.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        error: io::Error,
    },
    /// The world cannot be built.
    #[error("world: {0}")]
    Setup(SetupError),
    /// A step cannot be taken.
    #[error("{0}")]
    Step(StepError),
    /// A runner cannot be started.
    #[error("{0}")]
    Stage(String),
    /// The scenario needs what this clock has not.
    #[error("cannot be played in virtual time: {0}")]
    NotVirtual(String),
}

impl EngineError {
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> EngineError {
        let what = what.into();
        move |error| EngineError::Io { what, error }
    }

    pub(super) fn setup(error: SetupError) -> EngineError {
        EngineError::Setup(error)
    }
}
