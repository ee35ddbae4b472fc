//! The harness: plays scenarios between runners and servers and says what conforms.
//!
//! # Layout
//!
//! - [`scenario`]: the file format, its loader and its errors, the embedded catalogue.
//! - [`engine`]: plays a scenario, in virtual time (one thread, paused clock, no socket) or in real
//!   time (real processes, loopback, git and bash).
//! - [`events`]: the log of what happened, in one order; expectations and reports read only this.
//! - [`session`]: recorded sessions: read, replayed as the server to a runner, compared.
//! - [`report`]: the table on the terminal, diffs, JSON, JUnit.
//! - [`conform`]: which checks of the specification are proved, and by what.
//! - [`cli`]: the command `gauntlet`.
//!
//! # A first run
//!
//! ```text
//! $ gauntlet run fair-usage-1
//! fair-usage-1  virtual  jobs of three projects are picked 1 4 6 2 5 3   3.2 ms  passed
//! fair-usage-1  real     jobs of three projects are picked 1 4 6 2 5 3   0.9 s   passed
//! ```
//!
//! Exit code 0 says that all that was run passed, 1 that something failed, 2 that the harness was used
//! wrongly or broke.

pub mod cli;
pub mod conform;
pub mod engine;
pub mod events;
pub mod process;
pub mod report;
pub mod scenario;
pub mod session;
