//! The helper commands for artifacts (runner.md 2.7, 12; wire.md 6), run as scripts of jobs run them,
//! against a scripted server.

mod download;
mod selection;
mod support;
mod upload;
