//! The process log, on stderr, in the official runner's three formats (runner.md 2.1).
//!
//! # How other rooms log
//!
//! With the plain macros of `tracing`. Fields are written as in the recordings' `runner.log`; the
//! writer sorts them by key.
//!
//! ```
//! tracing::info!(code = 202, "job-log" = "0-2598", "Appending trace to coordinator...ok");
//! tracing::warn!(error = %std::io::Error::other("reset"), "Checking for jobs... error");
//! ```
//!
//! - A dashed name is a string literal (`"job-log" = …`). An `Option` that is `None` is left out.
//! - A duration is given by [`duration`] (`3s` in text, nanoseconds in JSON), an error by `%error`.
//! - `Option`, numbers, Booleans and strings go in as they are; anything else by `%`.
//! - A fatal record has the target [`FATAL`] (prefix `FATAL: `) and a panic record [`PANIC`], both
//!   with `tracing::error!`. The macro ends nothing: whoever logs it returns exit code 1 (RUN-CLI-05).
//!
//!   ```
//!   tracing::error!(target: runner::logging::FATAL, error = "no such file", "Service run failed");
//!   ```
//! - Fields shared by many records belong to a span: [`runner_span`] gives `runner` and
//!   `runner_name`, and every record below it carries them. Inside [`job_span`] records get the
//!   job's fields too. A record's own field wins over a span's.
//! - Tasks are started by [`spawn`], so that they keep span and log of their parent. (Two runners
//!   in one process, in virtual time, have a log each.)

mod format;
mod layer;
mod level;
mod log;
mod quote;
mod spans;
mod spawn;
mod value;

pub use level::{Format, Level, UnknownFormat, UnknownLevel};
pub use log::{Log, Sink};
pub use spans::{job_span, runner_span};
pub use spawn::spawn;
pub use value::{DurationField, SignalField, duration, go_duration, signal};

/// Target of a record that ends the process with exit code 1.
pub const FATAL: &str = "fatal";
/// Target of a record of level panic, which also ends the process with exit code 1.
pub const PANIC: &str = "panic";

#[cfg(test)]
mod tests;
