//! A fleet of idle runners in virtual time.

use std::fmt::Write as _;

use scenarios::engine::{self, PlayOptions};
use scenarios::process::RunnerProgram;
use scenarios::scenario::{self, ClockKind, Scenario};

use crate::load::LoadError;

/// `runners` runners with nothing to do, for `minutes`.
///
/// # Errors
///
/// A bug of the bench: the scenario made here is not valid.
pub fn idle(runners: usize, minutes: u64) -> Result<Scenario, LoadError> {
    let mut text =
        String::from("name: idle-fleet\nabout: runners with nothing to do\nclocks: [virtual]\n");
    text.push_str("world:\n  runners: {main: {}}\nrunners:\n");
    for number in 0..runners {
        let _ = write!(
            text,
            "  r{number}:\n    config: |\n      [[runners]]\n      name = \"r{number}\"\n      url = \"${{URL}}\"\n      token = \"${{TOKEN:main}}\"\n      executor = \"shell\"\n"
        );
    }
    let _ = write!(
        text,
        "timeline:\n  - at: {minutes}m\nexpect:\n  picks: []\n"
    );
    Ok(scenario::parse("idle-fleet.yml", &text)?)
}

/// Plays it; gives the number of polls.
///
/// # Errors
///
/// When the engine breaks, or something unexpected was seen.
pub fn play(fleet: &Scenario) -> Result<usize, LoadError> {
    let options = PlayOptions {
        seed: 0,
        program: RunnerProgram::this()?,
    };
    let played = engine::play(fleet, ClockKind::Virtual, &options)?;
    if let Some(mismatch) = played.mismatches.first() {
        return Err(format!("{}: {:?}", mismatch.what, mismatch.seen).into());
    }
    let polls = played
        .events
        .iter()
        .filter(|event| event.to_string().contains(" poll -> 204"));
    Ok(polls.count())
}
