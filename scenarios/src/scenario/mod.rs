//! Scenario files: what happens in a little world, and what must be seen.
//!
//! - [`format`]: the file, member by member; [`world_format`]: its world; [`fault_format`]: what
//!   goes wrong on purpose; [`expect_format`]: what must be seen; [`time`]: durations.
//! - [`loader`]: reads and checks a file; its errors name file, line, key and what was expected.
//! - [`catalogue`]: the scenarios that are part of the program.

pub mod catalogue;
pub mod expect_format;
pub mod fault_format;
pub mod format;
pub mod loader;
pub mod time;
pub mod world_format;

pub use format::{ClockKind, Scenario};
pub use loader::{ScenarioError, load_file, parse};
