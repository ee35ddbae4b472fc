//! A GitLab Runner: same command line, same `config.toml`, same logs as the official one.
//!
//! # Layout
//!
//! - [`cli`]: commands and options; [`config`]: `config.toml` in and out; [`logging`]: the process log.
//! - [`client`]: the HTTP dialogue with GitLab: transport, retries, judging of answers.
//! - [`schedule`]: what to poll and when: a pure scheduler and the manager that drives it.
//! - [`job`]: the life of one job: stages, timeouts, cancel, results; [`moa`]: the language of its inputs.
//! - [`session`]: the server through which web terminals reach running jobs.
//! - [`executor`]: where stages run; [`shell`] and [`git`]: the scripts that they run.
//! - [`artifacts`]: helper commands that pack, send, fetch and unpack the artifacts of a job.
//! - [`metrics`]: metrics, and the server for them and for debug pages.
//! - [`trace`]: the log pipeline (mask, stamp, limit, spool) and its delivery.
//! - [`clock`], [`random`], [`host`]: time, chance and machine, passed in so that a run can be repeated.
//!
//! Nothing but [`clock`] reads a wall clock, and every wait is tokio's, so the same code runs in real
//! time over TCP and on a paused clock over an in-process transport.

pub mod artifacts;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod executor;
pub mod git;
pub mod host;
pub mod job;
pub mod logging;
pub mod metrics;
pub mod moa;
pub mod random;
pub mod schedule;
pub mod session;
pub mod shell;
pub mod trace;
