//! A mock GitLab server that any runner can be pointed at.
//!
//! # Layout
//!
//! - [`world`]: all state and every rule, as a pure state machine: a command and `now` give an answer
//!   and events. No clock, no socket, no global.
//! - [`http`]: the runner API over a world; it translates and decides nothing.
//! - [`git`]: repositories over HTTP, with job tokens.
//! - [`server`]: serves a router over TCP.
//! - [`vectors`]: the test vectors of the queue, decoded from their YAML file into steps.

pub mod git;
pub mod http;
pub mod server;
pub mod vectors;
pub mod world;
