//! Virtual time: the same runner and server code on one thread with a paused clock. Requests are
//! function calls, jobs are played by the scripted executor, and two runs with one seed do the same.

use crate::engine::verdict::Outcome;
use crate::scenario::Scenario;

use super::EngineError;

/// Plays a scenario.
pub fn play(scenario: &Scenario, seed: u64) -> Result<Outcome, EngineError> {
    let _ = (scenario, seed);
    Err(EngineError::NotVirtual(
        "this build has no runner yet, only the queue vectors can be played".to_owned(),
    ))
}
