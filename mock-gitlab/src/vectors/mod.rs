//! The test vectors of the queue (`scenarios/catalogue/queueing.yml`), decoded into steps.
//!
//! [`VectorFile::parse`] reads the YAML document as it stands in `spec/queueing.md` 13. A [`Vector`] is
//! a little world and a list of [`Step`]s; [`Vector::build`] puts the world into a
//! [`crate::world::World`], and whoever drives the vectors (a test, the harness over HTTP) plays the
//! steps with its own clock.

mod build;
mod file;
mod step;

pub use build::Names;
pub use file::{
    TimeoutCase, Vector, VectorError, VectorFile, VectorJob, VectorPipeline, VectorProject,
    VectorRunner,
};
pub use step::{PollStep, RaceEntry, RaceResult, Step};
