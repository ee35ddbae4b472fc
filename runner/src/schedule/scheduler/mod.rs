//! What to poll and when, as a pure state machine: time in, decisions out (runner.md 4.1-4.3).
//!
//! - [`Scheduler`]: feeder, workers and slots. The caller tells it the time and what happened, and does
//!   what the [`Decision`]s say.
//! - [`Entry`], [`Plan`]: the configuration as scheduling sees it.
//! - `health`, `slots`: the counters behind it.
//!
//! # The picture behind it
//!
//! One feeder walks over the entries and hands each to an idle worker, over an unbuffered channel; a
//! worker polls and then runs the job that came, so a running job occupies its worker. Nothing of that
//! is a task here: the feeder is a deadline or a blocked entry, the workers are two numbers.

mod health;
mod imp;
mod plan;
mod slots;
#[cfg(test)]
mod tests;

pub use imp::{Decision, Offered, PollEnd, Scheduler, Skip, Ticket};
pub use plan::{Entry, Plan};
pub use slots::ConcurrentIds;
