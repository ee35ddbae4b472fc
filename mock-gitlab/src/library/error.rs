use std::net::SocketAddr;
use std::time::Duration;

use crate::git::repository::RepositoryError;
use crate::world::{ActionError, ApiError, SetupError};

/// Why a server cannot be started, or its world cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// Somebody else listens there.
    #[error("address {address} is in use: choose another, or port 0 for a free one")]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Others could reach it, and nobody chose a token for the administrator.
    #[error(
        "{address} can be reached by others: choose an administrator's token with admin_token(), or listen on a loopback address"
    )]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// No thread, runtime or temporary folder.
    #[error("cannot start the server: {0}")]
    Start(std::io::Error),
    /// The world does not take it.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The repository cannot be made.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The bytes of a file of git LFS cannot be written.
    #[error("cannot store the LFS object: {0}")]
    Lfs(std::io::Error),
    /// A user could not do it.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// The bytes of an artifact cannot be read or written.
    #[error("cannot read or write the artifact: {0}")]
    Artifact(std::io::Error),
    /// The server does not take what was given, as it would not take it from a runner.
    #[error("the server refuses it: {0}")]
    Refused(#[from] ApiError),
}

/// Something was waited for in vain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("after {}: waited for {what}; {last}", humane(*.after))]
pub struct WaitError {
    /// What was waited for.
    pub what: String,
    /// What there was instead.
    pub last: String,
    /// How long.
    pub after: Duration,
}

fn humane(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
