//! The HTTP face of the server, check by check (wire.md, side S).
//!
//! Every test calls the router as a function and reads status, headers and bytes; time is a value that
//! the test sets. What has to be seen on a socket uses one.

mod artifacts;
mod connection;
mod faults;
mod held;
mod job_changes;
mod limits;
mod lists;
mod mock_api;
mod payload;
mod polling;
mod registration;
mod rest;
mod security;
mod snapshot;
mod support;
mod trace;
mod update;
