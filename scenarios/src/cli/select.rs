//! What the names and paths of a command line mean.

use std::fs;
use std::path::{Path, PathBuf};

use mock_gitlab::vectors::{Vector, VectorFile};

use crate::scenario::{ClockKind, Scenario, catalogue, loader};

/// Something that can be played.
#[derive(Clone, Debug)]
pub enum Item {
    /// A scenario in one clock.
    Scenario(Box<Scenario>, ClockKind),
    /// A vector of the queue, played through requests in virtual time.
    Vector(Box<Vector>),
}

impl Item {
    /// Name.
    pub fn name(&self) -> String {
        match self {
            Item::Scenario(scenario, _) => scenario.name.clone(),
            Item::Vector(vector) => format!("QUE-{}", vector.id),
        }
    }

    /// Clock.
    pub fn clock(&self) -> ClockKind {
        match self {
            Item::Scenario(_, clock) => *clock,
            Item::Vector(_) => ClockKind::Virtual,
        }
    }
}

/// Prefix of the names of vectors.
const VECTOR_PREFIX: &str = "QUE-";

/// The vectors of the catalogue.
pub fn vectors() -> Result<Vec<Vector>, String> {
    VectorFile::parse(catalogue::QUEUEING_VECTORS)
        .map(|file| file.vectors)
        .map_err(|error| format!("catalogue/queueing.yml: {error}"))
}

/// Everything that `what` names, in the clocks that are wanted; an empty `what` is the catalogue.
pub fn select(what: &[String], clock: Option<ClockKind>) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    if what.is_empty() {
        add_scenarios(&mut items, all_scenarios()?, clock, false)?;
        add_vectors(&mut items, vectors()?, clock);
    }
    for name in what {
        let path = Path::new(name);
        if path.is_dir() {
            for file in files_in(path)? {
                add_file(&mut items, &file, clock)?;
            }
        } else if path.is_file() {
            add_file(&mut items, path, clock)?;
        } else {
            add_name(&mut items, name, clock)?;
        }
    }
    if items.is_empty() {
        return Err(match clock {
            Some(clock) => format!("nothing to play: none of it is meant for --clock {clock}"),
            None => "nothing to play".to_owned(),
        });
    }
    Ok(items)
}

fn all_scenarios() -> Result<Vec<Scenario>, String> {
    catalogue::scenarios().map_err(|error| error.to_string())
}

/// Adds scenarios in their clocks. `named`: one that is not meant for the wanted clock is an error.
fn add_scenarios(
    items: &mut Vec<Item>,
    scenarios: Vec<Scenario>,
    clock: Option<ClockKind>,
    named: bool,
) -> Result<(), String> {
    for scenario in scenarios {
        let clocks: Vec<ClockKind> = scenario
            .clocks
            .iter()
            .copied()
            .filter(|one| clock.is_none_or(|wanted| wanted == *one))
            .collect();
        if let (true, true, Some(clock)) = (named, clocks.is_empty(), clock) {
            return Err(format!(
                "scenario `{}` is not meant for --clock {clock}: it needs {}",
                scenario.name,
                match clock {
                    ClockKind::Virtual => "sockets or processes",
                    ClockKind::Real => "virtual time",
                }
            ));
        }
        for clock in clocks {
            items.push(Item::Scenario(Box::new(scenario.clone()), clock));
        }
    }
    Ok(())
}

fn add_vectors(items: &mut Vec<Item>, vectors: Vec<Vector>, clock: Option<ClockKind>) {
    if clock != Some(ClockKind::Real) {
        items.extend(
            vectors
                .into_iter()
                .map(|vector| Item::Vector(Box::new(vector))),
        );
    }
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let problem = |error: std::io::Error| format!("{}: cannot be read: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(problem)? {
        let path = entry.map_err(problem)?.path();
        if path
            .extension()
            .is_some_and(|end| end == "yml" || end == "yaml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn add_file(items: &mut Vec<Item>, path: &Path, clock: Option<ClockKind>) -> Result<(), String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    if text.lines().any(|line| line.starts_with("vectors:")) {
        let file =
            VectorFile::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        add_vectors(items, file.vectors, clock);
        return Ok(());
    }
    let scenario =
        loader::parse(&path.display().to_string(), &text).map_err(|error| error.to_string())?;
    add_scenarios(items, vec![scenario], clock, true)
}

fn add_name(items: &mut Vec<Item>, name: &str, clock: Option<ClockKind>) -> Result<(), String> {
    let scenarios = all_scenarios()?;
    let found: Vec<Scenario> = scenarios
        .iter()
        .filter(|scenario| scenario.name == name)
        .cloned()
        .collect();
    if !found.is_empty() {
        return add_scenarios(items, found, clock, true);
    }
    let id = name.strip_prefix(VECTOR_PREFIX).unwrap_or(name);
    // `V05` names `V05-hog-versus-many-projects`.
    let fits = |vector: &Vector| {
        vector.id == id
            || vector
                .id
                .strip_prefix(id)
                .is_some_and(|rest| rest.starts_with('-') && !id.is_empty())
    };
    let found: Vec<Vector> = vectors()?
        .into_iter()
        .filter(|vector| fits(vector))
        .collect();
    if found.is_empty() {
        return Err(unknown(name, &scenarios));
    }
    if clock == Some(ClockKind::Real) {
        return Err(format!("vector `{name}` is played in virtual time only"));
    }
    add_vectors(items, found, clock);
    Ok(())
}

fn unknown(name: &str, scenarios: &[Scenario]) -> String {
    let near = scenarios
        .iter()
        .map(|scenario| &scenario.name)
        .max_by(|one, other| {
            let ratio = |text: &str| similar::TextDiff::from_chars(text, name).ratio();
            ratio(one).total_cmp(&ratio(other))
        });
    match near {
        Some(near) => format!(
            "no file and no scenario `{name}`; did you mean `{near}`? `gauntlet list` shows all"
        ),
        None => format!("no file and no scenario `{name}`"),
    }
}
