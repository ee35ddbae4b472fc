//! Web terminals: the session server of a running manager, seen by who comes over its socket, and what
//! polls and logs of jobs tell of it (runner.md 13).

mod polls;
mod support;
mod terminals;
