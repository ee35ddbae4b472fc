//! The session server: web terminals of running jobs, over HTTPS (runner.md 13).
//!
//! GitLab connects a browser to a running job. For that each poll tells it where the job can be reached:
//! URL, certificate and token of a session. The session that came with the poll that brought a job
//! belongs to that job, and can be reached as long as the job runs.
//!
//! - [`SessionSettings`]: `[session_server]`; [`SessionServer`]: listens, and serves.
//! - [`Sessions`]: makes sessions and knows those of running jobs; [`Session`]: one of them.
//! - `exec`: what must hold before somebody gets a terminal; `terminal`: bytes between a WebSocket and a
//!   terminal; `certificate`: the server's own certificate.
//!
//! A terminal itself is the executor's: [`crate::executor::Terminal`].

mod certificate;
mod exec;
mod registry;
mod server;
#[expect(
    clippy::module_inception,
    reason = "the file of the type, as everywhere"
)]
mod session;
mod settings;
mod terminal;

pub use registry::{RegisteredSession, Sessions};
pub use server::SessionServer;
pub use session::{Session, TerminalSlot};
pub use settings::{SessionServerError, SessionSettings};
