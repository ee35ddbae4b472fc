//! The harness from outside: scenario files, the catalogue in both clocks, recorded sessions.

mod catalogue;
mod determinism;
mod killed;
mod newcomer;
mod program;
mod replays;
mod scenario_files;
