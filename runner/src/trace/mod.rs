//! The log of a job: pipeline (runner.md 6 and 9) and delivery (wire.md 4, 5.4).
//!
//! A byte of output passes these stages, each pure and of its own file:
//!
//! 1. per stream, a [`JobLog`] pipeline: `phrases` and `url` and `tokens` (masking, [`Masks`]), then
//!    `stamps` (timestamps);
//! 2. for all streams together, `store`: `utf8` (repair), `limit`, size and checksum, [`Spool`].
//!
//! [`JobTrace`] carries what the spool holds to the server.
//!
//! # What does not depend on how output is cut into writes
//!
//! Without timestamps: everything, for a single stream. With timestamps: everything but the places
//! where a line is broken off with an added newline and continued by a `+` line, because a write ended
//! in a carriage return's line, or because more than 8192 bytes came without newline (runner.md 9.3).
//! Joined lines are always the same.

mod deliver;
mod job_log;
mod job_trace;
mod limit;
mod masks;
mod phrases;
mod pipeline;
mod skip;
mod spool;
mod stamps;
mod store;
mod tokens;
mod url;
mod utf8;

#[cfg(test)]
mod tests;

pub use job_log::{JobLog, LogOptions, LogStream};
pub use job_trace::{FinalOutcome, FirstUpdate, JobResult, JobTrace, TraceSettings};
pub use masks::{MAX_TOKEN_PREFIXES, Masks};
pub use spool::Spool;
