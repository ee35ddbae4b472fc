//! A mock GitLab server that any runner can be pointed at.
//!
//! # Layout
//!
//! - [`world`]: all state and every rule, as a pure state machine: a command and `now` give an answer
//!   and events. No clock, no socket, no global.
//! - [`http`]: the runner API over a world; it translates and decides nothing.
//! - [`cli`]: the program `mock-gitlab`; [`seed`]: its seed file.
//! - [`fault`]: what goes wrong on purpose.
//! - [`git`]: repositories over HTTP, with job tokens.
//! - [`mock_api`]: what no GitLab has: clock, faults, events, why not. [`clock`]: the server's clock.
//! - [`library`]: [`MockGitlab`], a server for tests.
//! - [`page`]: what is going on, for people.
//! - [`server`]: serves a router over TCP.
//! - [`vectors`]: the test vectors of the queue, decoded from their YAML file into steps.

pub mod cli;
pub mod clock;
pub mod fault;
pub mod git;
pub mod http;
pub mod library;
pub mod mock_api;
pub mod page;
pub mod seed;
pub mod server;
pub mod vectors;
pub mod world;

pub use library::MockGitlab;
