//! The life of a job (runner.md 5): order and time on a paused clock with a scripted executor, output
//! with a real bash, sources with a real git.

mod git;
mod hooks;
mod inputs;
mod order;
mod plain;
mod processes;
mod shell;
mod stops;
mod support;
mod variables;
