use std::collections::BTreeMap;

use protocol::Field;
use protocol::job_payload::Variable;

use super::error::MockError;
use super::handles::{JobHandle, ProjectHandle, RunnerHandle};
use super::pipeline;
use super::start::Shared;
use crate::git::lfs;
use crate::git::repository::{self, Commit};
use crate::world::artifacts::format_of;
use crate::world::state::{AccessLevel, RunnerType};
use crate::world::{
    JobDefinition, NewArtifact, NewGroup, NewPipeline, NewProject, NewRunner, SetupError,
};

/// A project to be made. Without files it has no repository, and its jobs fetch none.
#[must_use = "nothing is made before `create`"]
pub struct ProjectBuilder {
    shared: Shared,
    full_path: String,
    files: BTreeMap<String, String>,
    commits: Vec<Commit>,
    objects: Vec<Vec<u8>>,
    project: NewProject,
}

impl ProjectBuilder {
    pub(super) fn new(shared: Shared, full_path: &str) -> Self {
        ProjectBuilder {
            shared,
            full_path: full_path.to_owned(),
            files: BTreeMap::new(),
            commits: Vec::new(),
            objects: Vec::new(),
            project: NewProject::default(),
        }
    }

    /// Adds a file to the commit under way; without [`ProjectBuilder::commit`] it is the only one.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    /// Adds a file that git LFS keeps: its pointer to the commit under way, its bytes to the server.
    /// Clients need to know by `.gitattributes`, for example `*.bin filter=lfs diff=lfs merge=lfs -text`.
    pub fn lfs_file(mut self, path: &str, bytes: &[u8]) -> Self {
        self.files.insert(path.to_owned(), lfs::pointer(bytes));
        self.objects.push(bytes.to_vec());
        self
    }

    /// Ends a commit on the default branch, with all files so far; files that follow go to the next one.
    pub fn commit(mut self, message: &str) -> Self {
        self.commits.push(Commit {
            message: message.to_owned(),
            files: self.files.clone(),
        });
        self
    }

    /// Changes any other attribute.
    pub fn with(mut self, change: impl FnOnce(&mut NewProject)) -> Self {
        change(&mut self.project);
        self
    }

    /// Makes the project, and its groups where they are missing.
    pub fn create(self) -> Result<ProjectHandle, MockError> {
        let (group_path, name) = match self.full_path.rsplit_once('/') {
            Some((group, name)) => (Some(group), name),
            None => (None, self.full_path.as_str()),
        };
        let group = group_path
            .map(|path| group(&self.shared, path))
            .transpose()?;
        let project = NewProject {
            path: name.to_owned(),
            group,
            ..self.project
        };
        let branch = project.default_branch.clone();
        let id = self
            .shared
            .act(|world, now| world.add_project(now, project))?;
        let full_path = self.shared.look(|world| {
            world
                .project(id)
                .map(|project| project.full_path.clone())
                .unwrap_or_default()
        });
        let mut sha = String::new();
        let mut commits = self.commits;
        let last = commits.last().map(|commit| &commit.files);
        if last.is_none_or(|files| *files != self.files) && !self.files.is_empty() {
            commits.push(Commit {
                message: "Add files".to_owned(),
                files: self.files,
            });
        }
        if !commits.is_empty() {
            let path = self.shared.git.repository(&full_path);
            let ids = repository::create(&path, &branch, &commits)?;
            sha = ids.last().cloned().unwrap_or_default();
            for object in &self.objects {
                lfs::store(&path, object).map_err(MockError::Lfs)?;
            }
        }
        Ok(ProjectHandle {
            shared: self.shared,
            id,
            full_path,
            sha,
        })
    }
}

/// The group at `path`, made with its parents where they are missing.
fn group(shared: &Shared, path: &str) -> Result<i64, SetupError> {
    let mut parent = None;
    let mut so_far = String::new();
    for segment in path.split('/') {
        if !so_far.is_empty() {
            so_far.push('/');
        }
        so_far.push_str(segment);
        let known = shared.look(|world| {
            let mut groups = world.groups();
            let known = groups.find(|group| group.full_path == so_far);
            known.map(|group| group.id)
        });
        parent = Some(match known {
            Some(id) => id,
            None => shared.act(|world, now| {
                world.add_group(
                    now,
                    NewGroup {
                        path: segment.to_owned(),
                        parent,
                        ..NewGroup::default()
                    },
                )
            })?,
        });
    }
    parent.ok_or_else(|| SetupError::UnknownName {
        what: "group",
        name: path.to_owned(),
    })
}

/// A runner to be made.
#[must_use = "nothing is made before `create`"]
pub struct RunnerBuilder {
    shared: Shared,
    runner: NewRunner,
}

impl RunnerBuilder {
    pub(super) fn new(shared: Shared) -> Self {
        RunnerBuilder {
            shared,
            runner: NewRunner::default(),
        }
    }

    /// Only for jobs of this project.
    pub fn project(mut self, project: &ProjectHandle) -> Self {
        self.runner.runner_type = RunnerType::ProjectType;
        self.runner.projects.push(project.id);
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: &str) -> Self {
        self.runner.tags.push(tag.to_owned());
        self
    }

    /// Takes no jobs without tags.
    pub fn tagged_only(mut self) -> Self {
        self.runner.run_untagged = false;
        self
    }

    /// Takes protected jobs only.
    pub fn protected(mut self) -> Self {
        self.runner.access_level = AccessLevel::RefProtected;
        self
    }

    /// With this token instead of a made-up one.
    pub fn token(mut self, token: &str) -> Self {
        self.runner.token = Some(token.to_owned());
        self
    }

    /// Changes any other attribute.
    pub fn with(mut self, change: impl FnOnce(&mut NewRunner)) -> Self {
        change(&mut self.runner);
        self
    }

    /// Makes the runner.
    pub fn create(self) -> Result<RunnerHandle, MockError> {
        let id = self
            .shared
            .act(|world, now| world.add_runner(now, self.runner))?;
        Ok(RunnerHandle {
            shared: self.shared,
            id,
        })
    }
}

/// A job to be made, in a pipeline of its own.
#[must_use = "nothing is made before `create`"]
pub struct JobBuilder {
    project: ProjectHandle,
    definition: JobDefinition,
}

impl JobBuilder {
    pub(super) fn new(project: &ProjectHandle, name: &str) -> Self {
        JobBuilder {
            project: project.clone(),
            definition: JobDefinition {
                name: name.to_owned(),
                ..JobDefinition::default()
            },
        }
    }

    /// Stage, one of `.pre`, `build`, `test`, `deploy`, `.post`; `test` when not given.
    pub fn stage(mut self, stage: &str) -> Self {
        stage.clone_into(&mut self.definition.stage);
        self
    }

    /// Leaves an archive of these paths and globs.
    pub fn artifacts<T: Into<String>>(mut self, paths: impl IntoIterator<Item = T>) -> Self {
        let artifacts = self.definition.artifacts.get_or_insert_default();
        artifacts.paths.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Commands of the job.
    pub fn script<T: Into<String>>(mut self, commands: impl IntoIterator<Item = T>) -> Self {
        self.definition.script = commands.into_iter().map(Into::into).collect();
        self
    }

    /// Commands that run whatever happened.
    pub fn after_script<T: Into<String>>(mut self, commands: impl IntoIterator<Item = T>) -> Self {
        self.definition.after_script = commands.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: &str) -> Self {
        self.definition.tags.push(tag.to_owned());
        self
    }

    /// Adds a variable that anybody may see.
    pub fn variable(self, key: &str, value: &str) -> Self {
        self.any_variable(key, value, false)
    }

    /// Adds a variable that is masked in the log.
    pub fn masked(self, key: &str, value: &str) -> Self {
        self.any_variable(key, value, true)
    }

    fn any_variable(mut self, key: &str, value: &str, masked: bool) -> Self {
        self.definition.variables.push(Variable {
            key: Field::from(key),
            value: Field::from(value),
            public: Field::Value(!masked),
            masked: Field::Value(masked),
            ..Variable::default()
        });
        self
    }

    /// Changes any other attribute.
    pub fn with(mut self, change: impl FnOnce(&mut JobDefinition)) -> Self {
        change(&mut self.definition);
        self
    }

    pub(super) fn into_definition(self) -> JobDefinition {
        self.definition
    }

    /// Makes the job.
    pub fn create(self) -> Result<JobHandle, MockError> {
        let made = pipeline::create(&self.project, NewPipeline::default(), vec![self.definition])?;
        let id = self.project.shared.look(|world| {
            let jobs = world.pipeline(made.id()).map(|pipeline| &pipeline.jobs);
            jobs.and_then(|jobs| jobs.first()).copied()
        });
        Ok(JobHandle {
            shared: self.project.shared,
            id: id.unwrap_or_default(),
        })
    }

    /// Makes a job that has succeeded and left these artifacts, each as type, file name and bytes: for
    /// jobs behind it, and for what needs the past.
    pub fn completed<'a>(
        self,
        artifacts: impl IntoIterator<Item = (&'a str, &'a str, &'a [u8])>,
    ) -> Result<JobHandle, MockError> {
        let job = self.create()?;
        let (id, shared) = (job.id, &job.shared);
        for (file_type, filename, bytes) in artifacts {
            let sha256 = lfs::object_id(bytes);
            let artifact = shared.act(|world, now| {
                let new = NewArtifact {
                    file_type: Some(file_type),
                    file_format: format_of(file_type),
                    filename,
                    size: bytes.len() as u64,
                    sha256: &sha256,
                    expire_in: None,
                    dotenv: Some(Vec::new()),
                    remote_url: None,
                };
                world.put_artifact(now, id, new)?;
                Ok::<_, MockError>(world.artifact(id, file_type).cloned())
            })?;
            if let Some(artifact) = artifact {
                let stored = shared.artifacts.put(id, &artifact, bytes);
                stored.map_err(MockError::Artifact)?;
            }
        }
        shared.act(|world, now| world.complete_job(now, id))?;
        Ok(job)
    }
}
