//! Puts the world of a scenario into the server.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use mock_gitlab::world::definition::{Need, Retry};
use mock_gitlab::world::state::{AccessLevel, RunnerType};
use mock_gitlab::world::{
    JobDefinition, NewGroup, NewJob, NewPipeline, NewPipelineJob, NewProject, NewRunner,
    SetupError, World,
};
use protocol::Field;
use protocol::job_payload::Variable;
use rand::SeedableRng as _;
use rand_chacha::ChaCha12Rng;

use super::job_plan;
use crate::scenario::world_format::{
    JobFormat, ProjectFormat, RunnerKind, ServerRunnerFormat, WorldFormat,
};

/// What the names of a scenario mean on the server.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Groups.
    pub groups: BTreeMap<String, i64>,
    /// Projects.
    pub projects: BTreeMap<String, i64>,
    /// Runners.
    pub runners: BTreeMap<String, i64>,
    /// Tokens of runners.
    pub tokens: BTreeMap<String, String>,
}

impl Names {
    fn of(map: &BTreeMap<String, i64>, what: &'static str, name: &str) -> Result<i64, SetupError> {
        map.get(name)
            .copied()
            .ok_or_else(|| SetupError::UnknownName {
                what,
                name: name.to_owned(),
            })
    }

    /// Id of a runner.
    pub fn runner(&self, name: &str) -> Result<i64, SetupError> {
        Self::of(&self.runners, "runner", name)
    }

    /// Id of a project; without a name, of the only one.
    pub fn project(&self, name: Option<&str>) -> Result<i64, SetupError> {
        match name {
            Some(name) => Self::of(&self.projects, "project", name),
            None => self
                .projects
                .values()
                .next()
                .copied()
                .ok_or_else(|| SetupError::UnknownName {
                    what: "project",
                    name: String::new(),
                }),
        }
    }

    /// Replaces `${URL}`, `${TOKEN:name}` and further `values` in a text.
    pub fn expand(&self, text: &str, values: &[(&str, &str)]) -> String {
        let mut text = text.to_owned();
        for (name, token) in &self.tokens {
            text = text.replace(&format!("${{TOKEN:{name}}}"), token);
        }
        for (name, value) in values {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        text
    }
}

/// Fills an empty world. `gates` is the folder of the gate files of held jobs.
pub fn fill(
    world: &mut World,
    format: &WorldFormat,
    now: Timestamp,
    seed: u64,
    gates: &Path,
) -> Result<Names, SetupError> {
    let mut names = Names::default();
    add_groups(world, format, now, &mut names)?;
    for (name, project) in &format.projects {
        let id = world.add_project(now, new_project(name, project, &names)?)?;
        names.projects.insert(name.clone(), id);
    }
    // Tokens come from the scenario's seed, so that logs with them are the same in every run.
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    for (name, runner) in &format.runners {
        let token = protocol::token::generate("glrt-", &mut random);
        let id = world.add_runner(now, new_runner(name, runner, &token, &names)?)?;
        names.runners.insert(name.clone(), id);
        names.tokens.insert(name.clone(), token);
    }
    for (id, job) in &format.jobs {
        add_job(world, *id, job, now, &names, gates)?;
    }
    for (id, pipeline) in &format.pipelines {
        let jobs = pipeline.jobs.iter().map(|(id, job)| NewPipelineJob {
            id: Some(*id),
            definition: Arc::new(definition(*id, job, gates)),
        });
        world.add_pipeline(
            now,
            NewPipeline {
                id: Some(*id),
                project: names.project(pipeline.project.as_deref())?,
                stages: pipeline.stages.clone(),
                jobs: jobs.collect(),
                ..NewPipeline::default()
            },
        )?;
    }
    Ok(names)
}

/// Adds one pending job.
pub fn add_job(
    world: &mut World,
    id: i64,
    job: &JobFormat,
    now: Timestamp,
    names: &Names,
    gates: &Path,
) -> Result<(), SetupError> {
    let project = names.project(job.project.as_deref())?;
    world.add_job(
        now,
        NewJob {
            id: Some(id),
            protected: job.protected,
            ..NewJob::pending(project, Arc::new(definition(id, job, gates)))
        },
    )?;
    Ok(())
}

/// Parents before children, whatever the order of names.
fn add_groups(
    world: &mut World,
    format: &WorldFormat,
    now: Timestamp,
    names: &mut Names,
) -> Result<(), SetupError> {
    let mut waiting: Vec<_> = format
        .groups
        .iter()
        .map(|(name, parent)| (name, parent.as_ref()))
        .collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut still = Vec::new();
        for (name, parent) in waiting {
            let parent_id = match parent {
                None => None,
                Some(parent) => {
                    if let Some(id) = names.groups.get(parent) {
                        Some(*id)
                    } else {
                        still.push((name, parent_of(format, name)));
                        continue;
                    }
                }
            };
            let id = world.add_group(
                now,
                NewGroup {
                    path: name.clone(),
                    parent: parent_id,
                    ..NewGroup::default()
                },
            )?;
            names.groups.insert(name.clone(), id);
        }
        if still.len() == before {
            return Err(SetupError::UnknownName {
                what: "parent group of",
                name: still[0].0.clone(),
            });
        }
        waiting = still;
    }
    Ok(())
}

fn parent_of<'a>(format: &'a WorldFormat, name: &str) -> Option<&'a String> {
    format.groups[name].as_ref()
}

fn new_project(
    name: &str,
    project: &ProjectFormat,
    names: &Names,
) -> Result<NewProject, SetupError> {
    Ok(NewProject {
        path: name.to_owned(),
        group: project
            .group
            .as_deref()
            .map(|group| Names::of(&names.groups, "group", group))
            .transpose()?,
        instance_runners: project.instance_runners,
        group_runners: project.group_runners,
        timeout: project.timeout.map(|time| time.0.as_secs() as i64),
        ..NewProject::default()
    })
}

fn new_runner(
    name: &str,
    runner: &ServerRunnerFormat,
    token: &str,
    names: &Names,
) -> Result<NewRunner, SetupError> {
    let projects = runner.projects.iter().map(|name| names.project(Some(name)));
    Ok(NewRunner {
        runner_type: match runner.kind {
            RunnerKind::Instance => RunnerType::InstanceType,
            RunnerKind::Group => RunnerType::GroupType,
            RunnerKind::Project => RunnerType::ProjectType,
        },
        group: runner
            .group
            .as_deref()
            .map(|group| Names::of(&names.groups, "group", group))
            .transpose()?,
        projects: projects.collect::<Result<_, _>>()?,
        token: Some(token.to_owned()),
        description: name.to_owned(),
        paused: runner.paused,
        run_untagged: runner.run_untagged,
        tags: runner.tags.clone(),
        access_level: if runner.protected {
            AccessLevel::RefProtected
        } else {
            AccessLevel::NotProtected
        },
        ..NewRunner::default()
    })
}

/// The part of a job that the server keeps.
pub fn definition(id: i64, job: &JobFormat, gates: &Path) -> JobDefinition {
    // Without a repository there is nothing to get.
    let no_sources = ("GIT_STRATEGY".to_owned(), "none".to_owned());
    let variables = std::iter::once(no_sources)
        .chain(job.variables.clone())
        .map(|(key, value)| Variable {
            key: Field::Value(key),
            value: Field::Value(value),
            public: Field::Value(true),
            ..Variable::default()
        });
    let default = JobDefinition::default();
    JobDefinition {
        name: job.name.clone().unwrap_or_else(|| format!("job-{id}")),
        stage: job.stage.clone().unwrap_or(default.stage.clone()),
        tags: job.tags.clone(),
        when: job.when,
        allow_failure: job.allow_failure,
        needs: job.needs.as_ref().map(|needs| {
            let need = |job: &String| Need {
                job: job.clone(),
                artifacts: true,
                optional: false,
            };
            needs.iter().map(need).collect()
        }),
        retry: Retry {
            max: job.retry,
            ..Retry::default()
        },
        timeout: job.timeout.map(|time| time.0.as_secs() as i64),
        script: job_plan::bash(job, id, gates),
        after_script: job_plan::bash_after(job),
        variables: variables.collect(),
        artifacts: job.artifacts.clone(),
        payload_overrides: job.payload.clone(),
        ..default
    }
}
