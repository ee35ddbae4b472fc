//! Reads scenario files. An error names file, line, key and what was expected.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_saphyr::{Location, Spanned};

use super::format::{ClockKind, Scenario, StepFormat};

/// Why a scenario cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// File.
    pub file: String,
    /// Line, from 1; 0 = the whole file.
    pub line: u64,
    /// What is wrong, with the key and what was expected.
    pub problem: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.problem),
            line => write!(f, "{}:{line}: {}", self.file, self.problem),
        }
    }
}

impl std::error::Error for ScenarioError {}

/// Reads a scenario from a file.
pub fn load_file(path: &Path) -> Result<Scenario, ScenarioError> {
    let file = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| ScenarioError {
        file: file.clone(),
        line: 0,
        problem: format!("cannot be read: {error}"),
    })?;
    parse(&file, &text)
}

/// Reads a scenario from a text; `file` is for errors.
pub fn parse(file: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let scenario: Scenario = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        ScenarioError {
            file: file.to_owned(),
            line,
            problem: problem(&error, text, line),
        }
    })?;
    Checker { file, text }.check(&scenario)?;
    Ok(scenario)
}

/// The reader's message, without its position, which stands before it here, and without the excerpt.
/// A scalar of the wrong kind is shown with the text around it, because the reader does not name it.
fn problem(error: &serde_saphyr::Error, text: &str, line: u64) -> String {
    let message = error.without_snippet().to_string();
    let message = message.lines().next().unwrap_or("not a scenario");
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let message = message
        .rfind(" at line ")
        .map_or(message, |position| &message[..position]);
    let expected = match message {
        "invalid boolean" => "`true` or `false`",
        "invalid i64" | "invalid i32" => "a whole number",
        "invalid u64" | "invalid usize" | "invalid u16" | "invalid u8" => {
            "a whole number that is not negative"
        }
        other => return other.to_owned(),
    };
    let index = usize::try_from(line).unwrap_or_default().saturating_sub(1);
    let excerpt = text.lines().nth(index).unwrap_or_default().trim();
    format!("expected {expected} in `{excerpt}`")
}

/// Looks for what the types do not tell: names that do not exist, steps without an action.
struct Checker<'a> {
    file: &'a str,
    text: &'a str,
}

impl Checker<'_> {
    fn error(&self, line: u64, problem: impl Into<String>) -> ScenarioError {
        ScenarioError {
            file: self.file.to_owned(),
            line,
            problem: problem.into(),
        }
    }

    /// Line of the first mention of a key, for what has no position of its own.
    fn line_of(&self, key: &str) -> u64 {
        self.text
            .lines()
            .position(|line| {
                let line = line.trim_start();
                let line = line.strip_prefix("- ").unwrap_or(line);
                line.trim_start_matches(['"', '\''])
                    .strip_prefix(key)
                    .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).starts_with(':'))
            })
            .map_or(0, |index| index as u64 + 1)
    }

    fn check(&self, scenario: &Scenario) -> Result<(), ScenarioError> {
        if scenario.clocks.is_empty() {
            return Err(self.error(
                self.line_of("clocks"),
                "`clocks` is empty: expected `virtual`, `real` or both",
            ));
        }
        for id in &scenario.proves {
            self.check_id(id)?;
        }
        self.check_world(scenario)?;
        for step in &scenario.timeline {
            self.check_step(scenario, step)?;
        }
        self.check_expectations(scenario)
    }

    /// `RUN-SCH-03`, `QUE-DOC-1`.
    fn check_id(&self, id: &str) -> Result<(), ScenarioError> {
        let mut parts = id.splitn(2, '-');
        let (group, rest) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let known = ["RUN", "WIRE", "QUE", "EXE"].contains(&group);
        let ends_in_number = rest.ends_with(|c: char| c.is_ascii_digit());
        if known && ends_in_number {
            return Ok(());
        }
        Err(self.error(
            self.line_of("proves"),
            format!("`proves`: `{id}` is not the id of a check: expected one such as RUN-SCH-03"),
        ))
    }

    fn check_world(&self, scenario: &Scenario) -> Result<(), ScenarioError> {
        let world = &scenario.world;
        let known_project = |name: &str| world.projects.contains_key(name);
        let jobs = world.jobs.iter().map(|(id, job)| (id, &job.project));
        let pipelines = world
            .pipelines
            .iter()
            .map(|(id, pipeline)| (id, &pipeline.project));
        for (id, project) in jobs.chain(pipelines) {
            match project {
                Some(name) if !known_project(name) => {
                    return Err(self.error(
                        self.line_of(&id.to_string()),
                        format!(
                            "{id}: project `{name}` does not exist: expected one of {}",
                            list(world.projects.keys())
                        ),
                    ));
                }
                None if world.projects.len() != 1 => {
                    return Err(self.error(
                        self.line_of(&id.to_string()),
                        format!(
                            "{id}: `project` is missing: expected one of {}",
                            list(world.projects.keys())
                        ),
                    ));
                }
                _ => {}
            }
        }
        let everything = world
            .jobs
            .iter()
            .chain(world.pipelines.values().flat_map(|pipeline| &pipeline.jobs));
        for (id, job) in everything {
            let told = !job.output.is_empty() || job.held || job.exit != 0 || !job.after.is_empty();
            if job.script.is_some() && told {
                return Err(self.error(
                    self.line_of(&id.to_string()),
                    format!("job {id}: `script` stands beside `output`, `exit`, `after` or `held`: expected one or the other"),
                ));
            }
        }
        Ok(())
    }

    fn check_step(
        &self,
        scenario: &Scenario,
        step: &Spanned<StepFormat>,
    ) -> Result<(), ScenarioError> {
        let line = line(step.referenced);
        let step = &step.value;
        let actions = step.actions();
        match actions.as_slice() {
            [] if step.after.is_none() && step.at.is_none() => {
                return Err(self.error(
                    line,
                    "`timeline`: a step without an action: expected `finish`, `cancel`, `play`, \
                     `fault`, `restore`, `advance`, `signal`, `start`, `run`, `configure`, `add`, `pause`, or a \
                     condition to wait for (`at`, `after`)",
                ));
            }
            [] | [_] => {}
            many => {
                return Err(self.error(
                    line,
                    format!(
                        "`timeline`: a step with {} actions ({}): expected one",
                        many.len(),
                        many.join(", ")
                    ),
                ));
            }
        }
        if let Some(condition) = &step.after {
            let given = condition.value.given();
            if given.len() != 1 {
                return Err(self.error(
                    line_or(condition.referenced, line),
                    "`after`: expected exactly one of `picked`, `event`, `trace`, `all_ended`",
                ));
            }
        }
        if let Some(fault) = &step.fault {
            if let Some(problem) = fault.problem() {
                return Err(self.error(line, format!("`fault`: {problem}")));
            }
            let known = &scenario.world.runners;
            if let Some(name) = fault
                .runner
                .as_ref()
                .filter(|name| !known.contains_key(*name))
            {
                return Err(self.error(
                    line,
                    format!(
                        "`fault`: runner `{name}` does not exist: expected one of {}",
                        list(known.keys())
                    ),
                ));
            }
        }
        let runners = [
            step.signal.as_ref().map(|signal| &signal.runner),
            step.start.as_ref(),
            step.run.as_ref().map(|run| &run.runner),
            step.configure.as_ref().map(|configure| &configure.runner),
        ];
        for name in runners.into_iter().flatten() {
            if !scenario.runners.contains_key(name) {
                return Err(self.error(
                    line,
                    format!(
                        "`timeline`: runner `{name}` does not exist: expected one of {}",
                        list(scenario.runners.keys())
                    ),
                ));
            }
        }
        if let Some(job) = step.finish
            && !held(scenario, job)
        {
            return Err(self.error(
                line,
                format!(
                    "`finish`: job {job} is not `held`: expected the id of a job with `held: true`"
                ),
            ));
        }
        if step.run.is_some() && scenario.clocks.contains(&ClockKind::Virtual) {
            return Err(self.error(
                line,
                "`run` starts a process, which virtual time cannot: expected `clocks: [real]`",
            ));
        }
        Ok(())
    }

    fn check_expectations(&self, scenario: &Scenario) -> Result<(), ScenarioError> {
        for name in scenario
            .expect
            .exits
            .keys()
            .chain(scenario.expect.terminal.keys())
        {
            if !scenario.runners.contains_key(name) {
                return Err(self.error(
                    self.line_of("expect"),
                    format!(
                        "`expect`: runner `{name}` does not exist: expected one of {}",
                        list(scenario.runners.keys())
                    ),
                ));
            }
        }
        if scenario.expect == super::expect_format::ExpectFormat::default() {
            return Err(self.error(
                self.line_of("expect"),
                "`expect` is empty: a scenario that expects nothing proves nothing",
            ));
        }
        Ok(())
    }
}

/// Whether a job is held, wherever it is defined.
fn held(scenario: &Scenario, id: i64) -> bool {
    let pipelines = scenario.world.pipelines.values();
    let added = scenario
        .timeline
        .iter()
        .filter_map(|step| step.value.add.as_ref());
    scenario
        .world
        .jobs
        .get(&id)
        .or_else(|| {
            pipelines
                .into_iter()
                .find_map(|pipeline| pipeline.jobs.get(&id))
        })
        .or_else(|| added.into_iter().find_map(|jobs| jobs.get(&id)))
        .is_some_and(|job| job.held)
}

fn line(location: Location) -> u64 {
    location.line()
}

fn line_or(location: Location, other: u64) -> u64 {
    match location.line() {
        0 => other,
        line => line,
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "(there is none)".to_owned()
    } else {
        names.join(", ")
    }
}
