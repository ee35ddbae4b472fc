//! What a replay must know beyond the recording itself: when signals came, what was done to files, and
//! where a difference is wanted or not mended yet. One file, `recordings/plans.yml`, holds it by name; a
//! recording outside of this project has it in its own `plan.yml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde::Deserialize;

use super::script::Stream;

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
    /// Differences that are there because something is not there yet: all else must be as recorded.
    pub missing: Vec<Wanted>,
    /// What happens from outside, in order.
    pub steps: Vec<Step>,
    /// Files in the home folder of the runner, by name.
    pub home: BTreeMap<String, String>,
    /// Files in the folder of the session before the first command, by name, where the recording does not
    /// keep them as they were then.
    pub files: BTreeMap<String, String>,
    /// Files of the recording that were there before the first command.
    pub given: Vec<String>,
    /// What is typed, by command, from 0.
    pub typed: BTreeMap<usize, String>,
    /// Polls that the recording does not have are held until the runner gives up.
    pub hold_polls: bool,
    /// Status of answers beyond the end of a stream, by the stream's name: `final update of job 1001`. Without
    /// it the last answer is repeated.
    pub beyond: BTreeMap<String, u16>,
    /// Fixed ports of the recording; free ones take their place.
    pub ports: Vec<u16>,
    /// Hosts beside the server that redirects lead to; the stand-in answers for them on ports of their
    /// own.
    pub hosts: Vec<String>,
    /// Texts of the recording that read otherwise here.
    pub rewrite: BTreeMap<String, String>,
    /// Starts of output lines whose number is decided by when something else happens: lines in a row that
    /// start so count as one.
    pub runs: Vec<String>,
    /// The recorded times lie as far from the recording's begin as they lie from the replay's here.
    pub shift_times: bool,
    /// All commands ran within one second: between them, tokens keep the time at which the first one was
    /// got.
    pub one_second: bool,
    /// The server speaks TLS, and the runner has the certificates that the configuration leaves to the
    /// usual places.
    pub tls: bool,
}

/// A difference that must be there. Lines or values that none of its texts fit are a difference still,
/// and so is a text that fits nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Start of the place that the difference names.
    pub place: String,
    /// Why it is better so.
    pub why: String,
    /// Parts of what only the recording has: one for each line, or value.
    #[serde(default)]
    pub gone: Vec<String>,
    /// Parts of what only the replay has.
    #[serde(default)]
    pub new: Vec<String>,
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

impl Plan {
    /// Whether a stream of the recording need not be walked to its end, because a wanted difference names
    /// it.
    pub fn frees(&self, stream: &Stream) -> bool {
        let name = stream.to_string();
        self.known().any(|wanted| wanted.place == name)
    }

    /// All differences that must be there.
    pub fn known(&self) -> impl Iterator<Item = &Wanted> {
        self.wanted.iter().chain(&self.missing)
    }

    /// Why the recording does not replay clean; `None` = it does.
    pub fn reason(&self) -> Option<String> {
        let missing = || self.missing.iter().map(|missing| missing.why.clone());
        self.open.clone().or_else(|| missing().reduce(|one, _| one))
    }
}

/// The plan in a file. The error names the line.
pub fn read(file: &Path) -> Result<Plan, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
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
            for wanted in plan.known() {
                let named = !wanted.gone.is_empty() || !wanted.new.is_empty();
                assert!(named, "{name}: {} says not what differs", wanted.place);
            }
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
