//! Putting a vector's world into a real one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::file::{Vector, VectorJob, VectorProject, VectorRunner};
use crate::world::definition::{JobDefinition, Need, Retry};
use crate::world::state::{AccessLevel, ProcessMode, RunnerType};
use crate::world::{
    GroupId, NewGroup, NewJob, NewPipeline, NewPipelineJob, NewProject, NewRunner, ProjectId,
    RunnerId, SetupError, World,
};

/// Ids of what a vector names. Job and pipeline ids are the vector's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Groups.
    pub groups: BTreeMap<String, GroupId>,
    /// Projects.
    pub projects: BTreeMap<String, ProjectId>,
    /// Runners.
    pub runners: BTreeMap<String, RunnerId>,
}

impl Names {
    /// Id of a project.
    pub fn project(&self, name: &str) -> Result<ProjectId, SetupError> {
        find(&self.projects, "project", name)
    }

    /// Id of a runner.
    pub fn runner(&self, name: &str) -> Result<RunnerId, SetupError> {
        find(&self.runners, "runner", name)
    }

    /// Id of a group.
    pub fn group(&self, name: &str) -> Result<GroupId, SetupError> {
        find(&self.groups, "group", name)
    }
}

fn find(map: &BTreeMap<String, i64>, what: &'static str, name: &str) -> Result<i64, SetupError> {
    map.get(name)
        .copied()
        .ok_or_else(|| SetupError::UnknownName {
            what,
            name: name.to_owned(),
        })
}

impl Vector {
    /// Puts groups, projects, runners, jobs and pipelines into `world`.
    ///
    /// Flags are switched on as well. The world should be empty, because job ids are explicit.
    pub fn build(&self, now: Timestamp, world: &mut World) -> Result<Names, SetupError> {
        for flag in &self.flags {
            world.set_flag(*flag, true);
        }
        let mut names = Names::default();
        self.add_groups(now, world, &mut names)?;
        for (name, project) in &self.projects {
            let new = self.project(name, project, &names)?;
            let id = world.add_project(now, new)?;
            names.projects.insert(name.clone(), id);
        }
        for (name, runner) in &self.runners {
            let id = world.add_runner(now, vector_runner(name, runner, &names)?)?;
            names.runners.insert(name.clone(), id);
        }
        for (id, job) in &self.jobs {
            world.add_job(now, job.to_new_job(*id, &names)?)?;
        }
        for (id, pipeline) in &self.pipelines {
            let stages = pipeline.jobs.values().map(|job| job.stage).max();
            world.add_pipeline(
                now,
                NewPipeline {
                    id: Some(*id),
                    project: names.project(&pipeline.p)?,
                    stages: (0..=stages.unwrap_or(0)).map(stage_name).collect(),
                    protected: Some(pipeline.jobs.values().any(|job| job.protected)),
                    jobs: pipeline
                        .jobs
                        .iter()
                        .map(|(id, job)| NewPipelineJob {
                            id: Some(*id),
                            definition: Arc::new(job.definition(*id)),
                        })
                        .collect(),
                    ..NewPipeline::default()
                },
            )?;
        }
        Ok(names)
    }

    /// Parents before children, whatever the order of names.
    fn add_groups(
        &self,
        now: Timestamp,
        world: &mut World,
        names: &mut Names,
    ) -> Result<(), SetupError> {
        while names.groups.len() < self.groups.len() {
            let before = names.groups.len();
            for (name, parent) in &self.groups {
                let parent_id = match parent {
                    Some(parent) => match names.groups.get(parent) {
                        Some(id) => Some(*id),
                        None => continue,
                    },
                    None => None,
                };
                if names.groups.contains_key(name) {
                    continue;
                }
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
            if names.groups.len() == before {
                return Err(SetupError::Invalid {
                    attribute: "groups".to_owned(),
                    text: "have a parent that does not exist, or a cycle".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn project(
        &self,
        name: &str,
        project: &VectorProject,
        names: &Names,
    ) -> Result<NewProject, SetupError> {
        let group = project.group.as_deref();
        let mode = self.mode.unwrap_or(ProcessMode::Unordered);
        Ok(NewProject {
            path: name.to_owned(),
            group: group.map(|group| names.group(group)).transpose()?,
            instance_runners: project.instance_runners,
            group_runners: project.group_runners,
            builds: project.builds,
            timeout: Some(project.timeout),
            resource_group_modes: BTreeMap::from([(String::new(), mode)]),
            ..NewProject::default()
        })
    }

    /// Features that the runner `name` announces: its own, and `cancel_gracefully` when a job of this
    /// vector wants that.
    pub fn features(&self, name: &str) -> Vec<String> {
        let mut features = self
            .runners
            .get(name)
            .map(|runner| runner.features.clone())
            .unwrap_or_default();
        let pipeline_jobs = self.pipelines.values().flat_map(|p| p.jobs.values());
        if self
            .jobs
            .values()
            .chain(pipeline_jobs)
            .any(|job| job.graceful)
        {
            features.push("cancel_gracefully".to_owned());
        }
        features
    }
}

fn stage_name(stage: u32) -> String {
    format!("stage-{stage}")
}

fn vector_runner(
    name: &str,
    runner: &VectorRunner,
    names: &Names,
) -> Result<NewRunner, SetupError> {
    let runner_type = match runner.type_.as_str() {
        "instance" => RunnerType::InstanceType,
        "group" => RunnerType::GroupType,
        "project" => RunnerType::ProjectType,
        other => {
            return Err(SetupError::UnknownName {
                what: "runner type",
                name: other.to_owned(),
            });
        }
    };
    let projects = runner.projects.iter().map(|name| names.project(name));
    Ok(NewRunner {
        runner_type,
        group: runner
            .groups
            .first()
            .map(|name| names.group(name))
            .transpose()?,
        projects: projects.collect::<Result<_, _>>()?,
        description: name.to_owned(),
        paused: !runner.active,
        locked: runner.locked,
        run_untagged: runner.run_untagged,
        tags: runner.tags.clone(),
        access_level: if runner.protected {
            AccessLevel::RefProtected
        } else {
            AccessLevel::NotProtected
        },
        maximum_timeout: runner.max_timeout,
        ..NewRunner::default()
    })
}

impl VectorJob {
    /// The job outside of any pipeline.
    pub fn to_new_job(&self, id: i64, names: &Names) -> Result<NewJob, SetupError> {
        let project = self.p.as_deref().unwrap_or("p");
        Ok(NewJob {
            id: Some(id),
            protected: self.protected,
            status: self.status,
            ..NewJob::pending(names.project(project)?, Arc::new(self.definition(id)))
        })
    }

    fn definition(&self, id: i64) -> JobDefinition {
        JobDefinition {
            name: self.name.clone().unwrap_or_else(|| format!("job-{id}")),
            stage: stage_name(self.stage),
            tags: self.tags.clone(),
            when: self.when,
            start_in: self.start_in,
            allow_failure: self.allow_failure,
            needs: self.needs.as_ref().map(|needs| {
                needs
                    .iter()
                    .map(|job| Need {
                        job: job.clone(),
                        artifacts: true,
                        optional: false,
                    })
                    .collect()
            }),
            retry: Retry {
                max: self.retry,
                ..Retry::default()
            },
            resource_group: self.rg.clone(),
            timeout: self.timeout,
            requires: self.requires.clone(),
            ..JobDefinition::default()
        }
    }
}
