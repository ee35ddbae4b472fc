//! A mock GitLab server that any runner can be pointed at.
//!
//! # Layout
//!
//! - [`world`]: all state and every rule, as a pure state machine: a command and `now` give an answer
//!   and events. No clock, no socket, no global.
//! - [`http`]: the runner API over a world; it translates and decides nothing.
//! - [`vectors`]: the test vectors of the queue, decoded from their YAML file into steps.

pub mod http;
pub mod vectors;
pub mod world;
