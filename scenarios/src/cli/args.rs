//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::scenario::ClockKind;

/// Plays scenarios between GitLab runners and servers, and says what conforms.
#[derive(Debug, Parser)]
#[command(name = "gauntlet", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do; `run` of the whole catalogue when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the scenarios, vectors and recordings that are part of this program.
    List(ListArgs),
    /// Play scenarios. Exit code 0: all passed, 1: some failed, 2: wrong use, or could not be played.
    Run(RunArgs),
    /// Play recorded sessions as the server to a runner, and show where it differs.
    Replay(ReplayArgs),
    /// What the specification asks for, and what proves it.
    Conform {
        /// Which part.
        #[command(subcommand)]
        command: ConformCommand,
    },
}

/// Options of `list`.
#[derive(Debug, Default, Args)]
pub struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `run`.
#[derive(Debug, Default, Args)]
pub struct RunArgs {
    /// Names from `gauntlet list`, scenario files, or folders of them; all of the catalogue when left
    /// out.
    #[arg(value_name = "PATH|NAME")]
    pub what: Vec<String>,
    /// Only this clock; otherwise each scenario is played in every clock that it names.
    #[arg(long, value_enum)]
    pub clock: Option<ClockKind>,
    /// Seed of everything random, instead of the scenarios' own.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Print the report as JSON instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Write the event logs as JSON lines. In virtual time two runs with one seed write the same bytes.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Write the report as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Another runner to put under test in real time, such as the official one.
    #[arg(long, value_name = "PATH")]
    pub runner_binary: Option<PathBuf>,
    /// How many scenarios play at once in real time.
    #[arg(long, default_value_t = default_jobs(), value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
}

/// Most of a scenario's time is waiting, so more than one per core is fine.
pub fn default_jobs() -> u16 {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    u16::try_from(cores * 3).unwrap_or(64).min(16)
}

/// Options of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Names from `gauntlet list`, or folders with a `session.har`; when left out, all recordings that
    /// took less than 15 s.
    #[arg(value_name = "NAME|DIR")]
    pub what: Vec<String>,
    /// All recordings that are part of this program, however long they take.
    #[arg(long, conflicts_with = "what")]
    pub all: bool,
    /// Print the report as JSON instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Write the report as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Another runner to put under test, such as the official one.
    #[arg(long, value_name = "PATH")]
    pub runner_binary: Option<PathBuf>,
    /// How many recordings play at once.
    #[arg(long, default_value_t = default_jobs(), value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
}

/// Parts of `conform`.
#[derive(Debug, Subcommand)]
pub enum ConformCommand {
    /// Write `docs/conformance.md` of the repository in which this is called.
    Docs {
        /// Only say whether it is up to date.
        #[arg(long)]
        check: bool,
    },
}
