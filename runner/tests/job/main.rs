//! The life of a job (runner.md 5): order and time on a paused clock with a scripted executor, output
//! with a real bash, sources with a real git.

// GIT
// hooks
mod order;
// processes
// shell
mod stops;
mod support;
// variables
