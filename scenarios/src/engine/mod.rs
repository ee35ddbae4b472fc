//! Plays scenarios.
//!
//! - [`world`]: puts the world of a scenario into the server; [`job_plan`]: what its jobs do, as bash
//!   for real time and as a script of the scripted executor for virtual time.
//! - [`server`]: the server of a scenario, for both clocks; [`tap`] stands before it: writes every
//!   request into the event log and plays faults.
//! - [`virtual_time`]: one thread, a paused clock, no socket; [`real_time`]: real processes.
//! - [`timeline`]: takes the steps, the same way in both.
//! - [`vectors`]: plays the vectors of the queue through requests.
//! - [`verdict`]: compares what was seen with what was expected.

mod error;
pub mod job_plan;
mod play;
pub mod real_time;
pub mod server;
pub mod tap;
pub mod timeline;
mod timeouts;
pub mod vectors;
pub mod verdict;
pub mod virtual_time;
pub mod world;

pub use error::EngineError;
pub use play::{PlayOptions, Played, play};
use play::{mock_server, waiting_text, wall_clock};
