//! [`MockGitlab`]: a server for tests.
//!
//! It runs on a thread and a runtime of its own, on a free loopback port, so that it serves any runner,
//! also one whose tests pause their clock. Two servers share nothing. It stops when it is dropped.
//! The [crate's page](crate) shows how.

#[cfg(test)]
mod apart;
mod builders;
mod error;
mod handles;
mod pipeline;
mod requests;
mod start;
#[cfg(test)]
mod tests;
mod wait;

pub use builders::{JobBuilder, ProjectBuilder, RunnerBuilder};
pub use error::{MockError, WaitError};
pub use handles::{JobHandle, ProjectHandle, RunnerHandle};
pub use pipeline::{PipelineBuilder, PipelineHandle};
pub use requests::SeenRequest;
pub use start::{MockGitlab, MockGitlabBuilder};
