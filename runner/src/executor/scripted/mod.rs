//! An executor that runs nothing: what each stage prints, how long it takes and how it ends comes from
//! a script. It works on a paused clock.

mod executor;
mod job;

pub use executor::ScriptedExecutor;
pub use job::{Release, ScriptedJob, ScriptedOutput, ScriptedPrepare, ScriptedStage, StageEnd};
