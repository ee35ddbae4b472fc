//! The figures of `docs/performance.md`: measured, compared with their targets, printed as a table.

mod flat;
mod http;
mod log;
mod runner;
mod table;
mod virtual_time;
mod wire;
mod world;

use std::time::{Duration, Instant};

pub use table::{Figure, Verdict, print};

use std::process::Command;

use crate::load::LoadError;

/// A group of figures that is measured together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Name for the command line.
    pub name: &'static str,
    /// Measures.
    pub measure: fn() -> Result<Vec<Figure>, LoadError>,
}

impl Group {
    /// Whether the program `gitlab-runner` is measured, which must be there.
    pub fn is_of_runner(&self) -> bool {
        self.name.starts_with("runner-")
    }
}

/// Groups, in the order of the table.
pub const GROUPS: &[Group] = &[
    Group {
        name: "poll",
        measure: world::poll,
    },
    Group {
        name: "pick",
        measure: world::pick,
    },
    Group {
        name: "load",
        measure: world::load,
    },
    Group {
        name: "trace",
        measure: world::trace,
    },
    Group {
        name: "memory",
        measure: world::memory,
    },
    Group {
        name: "http",
        measure: http::loopback,
    },
    Group {
        name: "ingest",
        measure: wire::traces,
    },
    Group {
        name: "held",
        measure: wire::holding,
    },
    Group {
        name: "virtual",
        measure: virtual_time::hour,
    },
    Group {
        name: "log",
        measure: log::pipeline,
    },
    Group {
        name: "jobs",
        measure: flat::jobs,
    },
    Group {
        name: "long-log",
        measure: flat::log,
    },
    Group {
        name: "runner-start",
        measure: runner::first_poll,
    },
    Group {
        name: "runner-idle",
        measure: runner::memory,
    },
    Group {
        name: "runner-job",
        measure: runner::one,
    },
    Group {
        name: "runner-many",
        measure: runner::many,
    },
    Group {
        name: "runner-log",
        measure: runner::logs,
    },
];

/// Groups that take minutes: measured only when they are named.
pub const LONG_GROUPS: &[Group] = &[Group {
    name: "memory-5m",
    measure: http::five_million,
}];

/// The group with this name.
pub fn group(name: &str) -> Option<&'static Group> {
    let mut groups = GROUPS.iter().chain(LONG_GROUPS);
    groups.find(|group| group.name == name)
}

/// The option under which [`apart`] calls the program again.
pub const APART: &str = "--apart";

/// Measures a group in a process of its own, so that no group sees the heap that another one left behind:
/// memory that was freed and is used again does not show in the resident size.
///
/// # Errors
///
/// When the program cannot be started again, or the group fails.
pub fn apart(group: &Group) -> Result<Vec<Figure>, LoadError> {
    let output = Command::new(std::env::current_exe()?)
        .args([APART, group.name])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr)
            .trim()
            .to_owned()
            .into());
    }
    String::from_utf8(output.stdout)?
        .lines()
        .map(|line| Figure::from_line(line).ok_or_else(|| format!("not a figure: {line}").into()))
        .collect()
}

/// Shortest time per call of several rounds: what the code costs when the machine does nothing else.
fn fastest(
    rounds: usize,
    calls: u32,
    mut round: impl FnMut() -> Result<(), LoadError>,
) -> Result<Duration, LoadError> {
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        round()?;
        best = best.min(start.elapsed() / calls);
    }
    Ok(best)
}
