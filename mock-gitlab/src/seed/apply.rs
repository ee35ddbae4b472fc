use std::collections::BTreeMap;
use std::sync::Arc;

use super::SeedError;
use super::format::{PipelineSeed, RunnerSeed, Seed};
use crate::git::repository::set_ref;
use crate::library::{MockGitlab, ProjectHandle, RunnerHandle};
use crate::world::state::RunnerType;
use crate::world::{JobId, NewPipeline, NewPipelineJob, NewRunner};

/// What a seed file made.
#[derive(Default)]
pub struct Seeded {
    /// Projects by full path.
    pub projects: BTreeMap<String, ProjectHandle>,
    /// Runners by description.
    pub runners: BTreeMap<String, RunnerHandle>,
    /// Jobs, in order.
    pub jobs: Vec<JobId>,
}

/// Puts a seed into a server; `file` is for errors.
pub fn apply(gitlab: &MockGitlab, seed: Seed, file: &str) -> Result<Seeded, SeedError> {
    let error = |place: String, problem: &dyn std::fmt::Display| SeedError::World {
        file: file.to_owned(),
        place,
        problem: problem.to_string(),
    };
    let mut seeded = Seeded::default();
    if let Some(token) = &seed.registration_token {
        gitlab.act(|world, _| world.set_instance_registration_token(token));
    }
    for (path, project) in seed.projects {
        let mut builder = gitlab.project(&path).with(|new| {
            new.instance_runners = project.instance_runners;
            new.group_runners = project.group_runners;
            new.timeout = project.timeout;
        });
        for (name, text) in &project.files {
            builder = builder.file(name, text);
        }
        let handle = builder
            .create()
            .map_err(|problem| error(format!("projects.{path}"), &problem))?;
        seeded.projects.insert(path, handle);
    }
    for (name, runner) in seed.runners {
        let place = format!("runners.{name}");
        let new =
            new_runner(&name, runner, &seeded).map_err(|problem| error(place.clone(), &problem))?;
        let handle = gitlab
            .runner()
            .with(|runner| *runner = new)
            .create()
            .map_err(|problem| error(place, &problem))?;
        seeded.runners.insert(name, handle);
    }
    for (index, pipeline) in seed.pipelines.into_iter().enumerate() {
        let jobs = add_pipeline(gitlab, pipeline, &seeded)
            .map_err(|problem| error(format!("pipelines[{index}]"), &problem))?;
        seeded.jobs.extend(jobs);
    }
    Ok(seeded)
}

fn project<'a>(seeded: &'a Seeded, path: &str) -> Result<&'a ProjectHandle, String> {
    seeded.projects.get(path).ok_or_else(|| {
        let known: Vec<String> = seeded
            .projects
            .keys()
            .map(|path| format!("`{path}`"))
            .collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        format!("project `{path}` does not exist; expected one of {known}")
    })
}

fn new_runner(name: &str, runner: RunnerSeed, seeded: &Seeded) -> Result<NewRunner, String> {
    let projects = runner
        .projects
        .iter()
        .map(|path| project(seeded, path).map(ProjectHandle::id))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(NewRunner {
        runner_type: if projects.is_empty() {
            RunnerType::InstanceType
        } else {
            RunnerType::ProjectType
        },
        projects,
        token: runner.token,
        description: name.to_owned(),
        tags: runner.tags,
        run_untagged: runner.run_untagged,
        paused: runner.paused,
        access_level: runner.access_level,
        maximum_timeout: runner.maximum_timeout,
        ..NewRunner::default()
    })
}

fn add_pipeline(
    gitlab: &MockGitlab,
    pipeline: PipelineSeed,
    seeded: &Seeded,
) -> Result<Vec<JobId>, String> {
    let project = project(seeded, &pipeline.project)?;
    let no_sources = project.sha().is_empty();
    let jobs = pipeline.jobs.into_iter().map(|mut definition| {
        if no_sources {
            definition.add_public_variable("GIT_STRATEGY", "none");
        }
        NewPipelineJob {
            id: None,
            definition: Arc::new(definition),
        }
    });
    let new = NewPipeline {
        project: project.id(),
        sha: project.sha().to_owned(),
        stages: pipeline.stages,
        jobs: jobs.collect(),
        ..NewPipeline::default()
    };
    let (id, jobs) = gitlab
        .act(|world, now| {
            let id = world.add_pipeline(now, new)?;
            let jobs = world.pipeline(id).map(|pipeline| pipeline.jobs.clone());
            Ok::<_, crate::world::SetupError>((id, jobs.unwrap_or_default()))
        })
        .map_err(|problem| problem.to_string())?;
    if !no_sources {
        let path = gitlab.git_root().repository(project.full_path());
        set_ref(&path, &format!("refs/pipelines/{id}"), project.sha())
            .map_err(|problem| problem.to_string())?;
    }
    Ok(jobs)
}
