//! Recorded sessions between a runner and a server: read, replayed, compared.
//!
//! - [`har`]: HAR 1.2 in; [`recording`]: one recording, that is a folder of files;
//!   [`library`]: the recordings that are part of the program.
//! - [`normalise`]: everything that is volatile between two runs, with the reason, in one place.
//! - [`plan`]: what is known about a recording beyond itself.
//! - [`script`]: what the server answers, by position and by the state of each job.
//! - [`stand_in`]: plays the script on loopback; [`git`]: its repositories.
//! - [`replay`]: starts the runner under test, [`compare`]: says where it differs.

pub mod compare;
pub mod git;
pub mod har;
pub mod library;
pub mod normalise;
pub mod plan;
pub mod recording;
pub mod replay;
pub mod script;
pub mod stand_in;

pub use recording::Recording;
