//! [`MockGitlab`]: a server for tests.
//!
//! It runs on a thread and a runtime of its own, on a free loopback port, so that it serves any runner,
//! also one whose tests pause their clock. Two servers share nothing. It stops when it is dropped.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mock_gitlab::MockGitlab;
//! use protocol::JobStatus;
//!
//! let gitlab = MockGitlab::start()?;
//! let project = gitlab.project("group/demo").file("README.md", "hello\n").create()?;
//! let runner = gitlab.runner().create()?;
//! let job = project.job("test").script(["cat README.md"]).create()?;
//!
//! // Point a runner at `gitlab.url()` with `runner.token()`, and wait for what it does.
//! # let poll = format!("{}/api/v4/jobs/request", gitlab.url());
//! # let client = reqwest_client();
//! # client.post(poll).body(format!(r#"{{"token":"{}"}}"#, runner.token())).send().await?;
//! job.wait_for(JobStatus::Running).await?;
//! assert_eq!(gitlab.requests().last().map(|request| request.status), Some(201));
//! # Ok(())
//! # }
//! # fn reqwest_client() -> reqwest::Client {
//! #     let _ = rustls::crypto::ring::default_provider().install_default();
//! #     reqwest::Client::builder().tls_certs_only([]).build().expect("client")
//! # }
//! ```

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
