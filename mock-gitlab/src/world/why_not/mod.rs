//! "Why not?": why a runner would not get a job, as the first criterion that fails (queueing.md 3-6).
//!
//! - `reason`: [`WhyNot`], the criteria as values, in the order in which they are looked at.
//! - `check`: finds the first that fails, by the same rules as a poll and in the same order of jobs.

mod check;
#[cfg(test)]
pub(super) mod property;
mod reason;
#[cfg(test)]
mod tests;

pub use reason::WhyNot;
