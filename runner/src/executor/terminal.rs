use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::client::transport::BoxFuture;

/// Where a web terminal gets its shell from (executors.md 9).
pub trait Terminal: Send + Sync + fmt::Debug {
    /// Starts a shell for one client. The error is for the process log.
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn TerminalConnection>, String>>;
}

/// A shell that somebody sits at: what is read is its output, what is written is typed. Reading ends, or
/// fails, when the shell has ended. Dropping it ends the shell too, without waiting for it.
pub trait TerminalConnection: AsyncRead + AsyncWrite + Send + Unpin {
    /// Where the shell runs, for the process log.
    fn address(&self) -> &str;

    /// Ends the shell and what it has started, and waits until they are gone.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}
