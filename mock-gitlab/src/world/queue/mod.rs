//! The queue: who may take which job, and in which order (queueing.md 1, 3, 4).
//!
//! # How it is kept
//!
//! Waiting jobs that agree on everything that decides eligibility and order lie in one *bucket*: same
//! protection and tags (a *class*), same project, same snapshot of the runner switches. A class keeps
//! its buckets in the orders that polls need:
//!
//! - for instance runners by (running count of the project, lowest id): the fair order;
//! - for group runners, per group above the project, by lowest id.
//!
//! A poll merges the orders of the classes that its runner matches, lazily: it pays for what it
//! examines, not for what waits.
//!
//! # What it costs
//!
//! With `n` waiting jobs in `b` buckets, `c` classes that match a runner (one per protection and
//! distinct tag set) and `d` groups above a project:
//!
//! | call | cost |
//! |---|---|
//! | add, remove a job | `O((1 + d) log n)` |
//! | change a project's running count | `O(own buckets × log b)`: nothing of other projects is touched |
//! | first candidate of an instance or group runner | `O(c log b)` |
//! | first candidate of a project runner | `O(assigned projects with waiting jobs × log b)` |
//! | each further candidate | `O(log n + log c)` |
//! | change the switches of a project | `O(own waiting jobs)` |
//! | a class that a runner sees for the first time | once `O(tags)` |

mod cursor;
mod index;
mod intern;
#[cfg(test)]
mod property;

pub(super) use cursor::Cursor;
pub(super) use index::{Matcher, Queue, Scope, Snapshot};
