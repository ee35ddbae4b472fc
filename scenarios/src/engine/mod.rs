//! Plays scenarios.
//!
//! - [`world`]: puts the world of a scenario into the server; [`job_plan`]: what its jobs do, as bash
//!   for real time and as a script of the scripted executor for virtual time.
//! - [`tap`]: stands before the server: writes every request into the event log and plays faults.
//! - [`virtual_time`]: one thread, a paused clock, no socket; [`real_time`]: real processes.
//! - [`timeline`]: takes the steps, the same way in both.
//! - [`verdict`]: compares what was seen with what was expected.

pub mod job_plan;
pub mod tap;
pub mod verdict;
pub mod world;
