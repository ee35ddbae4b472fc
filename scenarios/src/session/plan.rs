//! What a replay must know beyond the recording itself: when signals came, what was done to files, and
//! where a difference is wanted or not mended yet. One file, `recordings/plans.yml`, holds it by name.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use serde::Deserialize;

/// The file with all plans.
pub const PLANS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/plans.yml"));

/// What is known about one recording.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// Why the recording cannot be replayed yet, or differs. One that replays clean must not have it.
    pub open: Option<String>,
    /// Why the recording replays clean at most times only. It is played when it is named.
    pub unsteady: Option<String>,
    /// Differences that are wanted, because the recorded runner has a fault there.
    pub wanted: Vec<Wanted>,
    /// What happens from outside, in order.
    pub steps: Vec<Step>,
    /// Files in the home folder of the runner, by name.
    pub home: BTreeMap<String, String>,
    /// Polls that the recording does not have are held until the runner gives up.
    pub hold_polls: bool,
}

/// A difference that must be there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Start of the place that the difference names.
    pub place: String,
    /// Why it is better so.
    pub why: String,
}

/// Something that happens from outside once all of its conditions hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// During which command, from 0.
    pub command: usize,
    /// Some job's log at the server holds this text.
    pub log: Option<String>,
    /// So many polls have come.
    pub polls: Option<usize>,
    /// The terminal of the command holds this text.
    pub terminal: Option<String>,
    /// So many times.
    pub times: Option<usize>,
    /// Everything that the recording demands has come.
    pub all: bool,
    /// Send this signal to the runner.
    pub signal: Option<SignalName>,
    /// Replace texts in `config.toml`, which is touched in any case when this is there.
    pub replace: Option<BTreeMap<String, String>>,
    /// Add text at the end of `config.toml`.
    pub append: Option<String>,
    /// Make `config.toml` what it is after the recorded session.
    pub config_after: bool,
}

/// A signal by name.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum SignalName {
    Hup,
    Int,
    Quit,
    Term,
}

impl From<SignalName> for Signal {
    fn from(name: SignalName) -> Signal {
        match name {
            SignalName::Hup => Signal::SIGHUP,
            SignalName::Int => Signal::SIGINT,
            SignalName::Quit => Signal::SIGQUIT,
            SignalName::Term => Signal::SIGTERM,
        }
    }
}

/// All plans, by the name of their recording. The error names the line.
pub fn plans() -> Result<BTreeMap<String, Plan>, String> {
    serde_saphyr::from_str(PLANS).map_err(|error| format!("recordings/plans.yml: {error}"))
}

/// The plan of a recording; an empty one if nothing special is known about it.
pub fn plan(name: &str) -> Result<Plan, String> {
    Ok(plans()?.remove(name).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_well_formed() {
        let plans = plans().expect("plans.yml");
        for (name, plan) in plans {
            for step in plan.steps {
                let acts = step.signal.is_some()
                    || step.replace.is_some()
                    || step.append.is_some()
                    || step.config_after;
                assert!(acts, "{name}: a step does nothing");
            }
        }
    }
}
