//! The command line of the real `gitlab-runner` binary (runner.md 2), and what of the configuration only
//! shows from outside (runner.md 3), against a small HTTP server.

mod forms;
mod killed;
mod manage;
mod register;
mod running;
mod service;

mod support;
mod template;
mod usage;
