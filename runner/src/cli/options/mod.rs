//! Options of commands: what they are called, what they hold, and how a command line is read
//! (runner.md 2.1). The rules are those of Go's `flag` package, which the official runner's users know:
//! one dash or two, `-x=v` or `-x v`, Booleans without a value.
//!
//! - [`Opt`]: an option; [`parse`]: arguments and environment become a [`Given`].
//! - [`commands`]: the commands and their options; `entry`: options that become keys of a `[[runners]]`
//!   entry, from the schema of the configuration.
//! - `help`: help texts; `values`: texts become values.

pub(super) mod commands;
pub(super) mod entry;
mod given;
pub(super) mod help;
mod parse;
#[cfg(test)]
mod tests;
mod values;

pub(super) use given::Given;
pub(super) use parse::{UsageError, bare_booleans, parse};

/// What an option holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// On or off; on without a value. `false` if an empty variable means off.
    Switch { empty_is_on: bool },
    /// On, off or unset; needs a value.
    ThreeState,
    /// Text.
    Text,
    /// Whole number.
    Integer,
    /// Number.
    Float,
    /// Go duration.
    Duration,
    /// Texts, one for each use.
    List,
    /// Texts, separated by commas; the last use counts.
    Commas,
    /// `KEY:value`, one pair for each use.
    Map(Pairs),
    /// Something that only a file can hold.
    FileOnly,
}

/// What the values of a map are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairs {
    /// Text; empty without a colon.
    Text,
    /// Boolean; true without a colon.
    Boolean,
    /// Whole number.
    Integer,
    /// A list with one text.
    List,
}

/// An option of a command.
#[derive(Clone, Debug)]
pub(super) struct Opt {
    /// Names without dashes; the last one is the name in errors and in [`Given`].
    pub(super) names: Vec<String>,
    /// Variable that gives the value if no argument does; empty: none.
    pub(super) env: String,
    pub(super) holds: Holds,
    pub(super) help: String,
    /// Default, for the help.
    pub(super) default: String,
    /// Key of the entry that it sets: `["docker", "image"]`; empty: none.
    pub(super) key: Vec<&'static str>,
}

impl Opt {
    /// An option; `names` separated by `, `.
    pub(super) fn new(names: &str, env: &str, holds: Holds, help: &str) -> Opt {
        Opt {
            names: names.split(", ").map(str::to_owned).collect(),
            env: env.to_owned(),
            holds,
            help: help.to_owned(),
            default: String::new(),
            key: Vec::new(),
        }
    }

    /// With a default for the help.
    pub(super) fn default(mut self, text: impl Into<String>) -> Opt {
        self.default = text.into();
        self
    }

    /// The name in errors and in [`Given`]: the first one of more than one letter.
    pub(super) fn name(&self) -> &str {
        let long = self.names.iter().find(|name| name.len() > 1);
        long.or(self.names.first()).map_or("", String::as_str)
    }
}
