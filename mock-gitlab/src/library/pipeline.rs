use std::sync::Arc;

use super::builders::JobBuilder;
use super::error::MockError;
use super::handles::{JobHandle, ProjectHandle};
use super::start::Shared;
use crate::git::repository;
use crate::world::{JobDefinition, NewPipeline, NewPipelineJob};

/// A pipeline of several jobs to be made.
#[must_use = "nothing is made before `create`"]
pub struct PipelineBuilder {
    project: ProjectHandle,
    jobs: Vec<JobDefinition>,
    pipeline: NewPipeline,
}

impl PipelineBuilder {
    pub(super) fn new(project: &ProjectHandle) -> Self {
        PipelineBuilder {
            project: project.clone(),
            jobs: Vec::new(),
            pipeline: NewPipeline::default(),
        }
    }

    /// Adds a job: `|job| job.stage("build").script(["make"])`.
    pub fn job(mut self, name: &str, build: impl FnOnce(JobBuilder) -> JobBuilder) -> Self {
        let job = build(JobBuilder::new(&self.project, name));
        self.jobs.push(job.into_definition());
        self
    }

    /// Changes any other attribute, such as stages, variables or the ref.
    pub fn with(mut self, change: impl FnOnce(&mut NewPipeline)) -> Self {
        change(&mut self.pipeline);
        self
    }

    /// Makes the pipeline; jobs of its first stage wait for a runner at once.
    pub fn create(self) -> Result<PipelineHandle, MockError> {
        create(&self.project, self.pipeline, self.jobs)
    }
}

/// Makes a pipeline of these jobs for the project's commit.
pub(super) fn create(
    project: &ProjectHandle,
    pipeline: NewPipeline,
    jobs: Vec<JobDefinition>,
) -> Result<PipelineHandle, MockError> {
    let fetch = !project.sha.is_empty();
    let jobs = jobs.into_iter().map(|mut definition| {
        if !fetch {
            // There is nothing to fetch.
            definition.add_public_variable("GIT_STRATEGY", "none");
        }
        NewPipelineJob {
            id: None,
            definition: Arc::new(definition),
        }
    });
    let pipeline = NewPipeline {
        project: project.id,
        sha: if pipeline.sha.is_empty() {
            project.sha.clone()
        } else {
            pipeline.sha
        },
        jobs: jobs.collect(),
        ..pipeline
    };
    let sha = pipeline.sha.clone();
    let shared = &project.shared;
    let id = shared.act(|world, now| world.add_pipeline(now, pipeline))?;
    if fetch {
        let path = shared.git.repository(&project.full_path);
        repository::set_ref(&path, &format!("refs/pipelines/{id}"), &sha)?;
    }
    Ok(PipelineHandle {
        shared: shared.clone(),
        id,
    })
}

/// A pipeline of the server.
#[derive(Clone)]
pub struct PipelineHandle {
    shared: Shared,
    id: i64,
}

impl PipelineHandle {
    /// Id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The newest job with this name.
    pub fn job(&self, name: &str) -> Option<JobHandle> {
        self.jobs().into_iter().rev().find(|job| job.name() == name)
    }

    /// All jobs, also retried ones, oldest first.
    pub fn jobs(&self) -> Vec<JobHandle> {
        let ids = self.shared.look(|world| {
            let pipeline = world.pipeline(self.id);
            pipeline.map_or_else(Vec::new, |pipeline| pipeline.jobs.clone())
        });
        let handle = |id| JobHandle {
            shared: self.shared.clone(),
            id,
        };
        ids.into_iter().map(handle).collect()
    }
}
