//! The object as a whole.

use jiff::Timestamp;
use protocol::Field;
use protocol::job_payload::{
    Artifact, ArtifactsFile, Cache, Credentials, Dependency, GitInfo, Image, JobInfo, JobPayload,
    RunnerInfo, ServerFeatures, Service, Step,
};
use protocol::{FailureReason, JobStatus};
use serde_json::Value;

use super::git;
use super::variables::Source;
use crate::world::JobId;
use crate::world::answer::PollAnswer;
use crate::world::core::World;
use crate::world::deadline::seconds_between;
use crate::world::definition::{ArtifactsDefinition, JobDefinition};
use crate::world::state::{Job, JobRun, Pipeline, Project};

/// What `job_info` tells about the queue.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::world) struct QueueFigures {
    /// `None` for a runner that is no instance runner.
    pub(in crate::world) running_on_instance_runners: Option<u32>,
    pub(in crate::world) size: usize,
    pub(in crate::world) depth: u32,
}

impl World {
    /// Answer 201 with the payload of a job that was just given to a runner.
    pub(in crate::world) fn job_answer(
        &self,
        now: Timestamp,
        id: JobId,
        figures: QueueFigures,
    ) -> PollAnswer {
        let Some(payload) = self.payload(now, id, figures) else {
            return PollAnswer::Conflict;
        };
        let overrides = self
            .jobs
            .get(&id)
            .map(|job| &job.definition.payload_overrides)
            .filter(|overrides| !overrides.is_empty());
        match overrides {
            None => PollAnswer::Job(Box::new(payload)),
            Some(overrides) => {
                let mut value = serde_json::to_value(&payload).unwrap_or_default();
                if let Value::Object(members) = &mut value {
                    members.extend(overrides.iter().map(|(k, v)| (k.clone(), v.clone())));
                }
                PollAnswer::OddJob {
                    job: id,
                    payload: Box::new(value),
                }
            }
        }
    }

    fn payload(&self, now: Timestamp, id: JobId, figures: QueueFigures) -> Option<JobPayload> {
        let job = &**self.jobs.get(&id)?;
        let run = &**job.run.as_ref()?;
        let project = self.projects.get(&job.project)?;
        let alone;
        let pipeline = if let Some(pipeline) = job.pipeline.and_then(|id| self.pipelines.get(&id)) {
            pipeline
        } else {
            alone = lone_pipeline(job, project);
            &alone
        };
        let repo_url = git::repo_url(&self.settings.external_url, project, &run.token);
        let source = Source {
            world: self,
            job,
            run,
            project,
            pipeline,
            runner: self.runners.get(&run.runner).map(|entry| &entry.record),
            repo_url: &repo_url,
            now,
        };
        let variables = source.variables();
        let git_info: GitInfo = git::git_info(
            repo_url.clone(),
            project,
            pipeline,
            job.protected,
            &variables,
        );
        let definition = &*job.definition;
        Some(JobPayload {
            id: Field::Value(id),
            token: Field::from(&*run.token),
            allow_git_fetch: Field::Value(project.allow_git_fetch),
            job_info: Field::Value(self.job_info(now, job, project, pipeline, figures)),
            git_info: Field::Value(git_info),
            runner_info: Field::Value(RunnerInfo {
                timeout: Field::Value(run.timeout),
                runner_session_url: match &run.session {
                    Some(session) => Field::from(session.url.as_str()),
                    None => Field::Null,
                },
                uuid: Field::Absent,
            }),
            inputs: Field::Value(definition.inputs.clone()),
            variables: Field::Value(variables),
            steps: match &definition.run {
                None => Field::Value(steps(definition, run.timeout)),
                Some(_) => Field::Absent,
            },
            hooks: Field::Value(definition.hooks.clone()),
            image: match &definition.image {
                Some(image) => Field::Value(full_image(image)),
                None => Field::Null,
            },
            services: Field::Value(definition.services.iter().map(full_service).collect()),
            artifacts: match artifacts(definition) {
                list if list.is_empty() => Field::Null,
                list => Field::Value(list),
            },
            cache: Field::Value(caches(definition, job.protected)),
            credentials: Field::Value(self.credentials_of(run)),
            dependencies: Field::Value(self.dependency_list(job, run)),
            features: Field::Value(ServerFeatures {
                trace_sections: Field::Value(true),
                failure_reasons: Field::Value(failure_reasons()),
                ..ServerFeatures::default()
            }),
            secrets: if definition.secrets.is_empty() {
                Field::Absent
            } else {
                Field::Value(definition.secrets.clone())
            },
            policy_options: Field::Absent,
            suspend_options: Field::Absent,
            run: match &definition.run {
                Some(run) => Field::from(run.as_str()),
                None => Field::Absent,
            },
        })
    }

    fn job_info(
        &self,
        now: Timestamp,
        job: &Job,
        project: &Project,
        pipeline: &Pipeline,
        figures: QueueFigures,
    ) -> JobInfo {
        let group = project.group.and_then(|id| self.groups.get(&id));
        let root = group.and_then(|group| group.traversal_ids.first().copied());
        let waited = job.queued_at.map_or(0, |at| seconds_between(at, now));
        let running = match figures.running_on_instance_runners {
            None => "+Inf".to_owned(),
            Some(count @ 0..5) => count.to_string(),
            Some(_) => "5+".to_owned(),
        };
        JobInfo {
            id: Field::Value(job.id),
            name: Field::from(job.definition.name.as_str()),
            stage: Field::from(job.definition.stage.as_str()),
            pipeline_id: Field::Value(pipeline.id),
            project_id: Field::Value(project.id),
            project_name: Field::from(project.path.as_str()),
            project_full_path: Field::from(project.full_path.as_str()),
            namespace_id: Field::Value(project.group.unwrap_or(1)),
            root_namespace_id: Field::Value(root.unwrap_or(1)),
            organization_id: Field::Value(1),
            instance_id: Field::from(self.instance_uuid.as_str()),
            instance_uuid: Field::from(self.instance_uuid.as_str()),
            user_id: Field::Value(job.user),
            scoped_user_id: Field::Null,
            time_in_queue_seconds: Field::Value(waited as f64),
            project_jobs_running_on_instance_runners_count: Field::Value(running),
            queue_size: Field::Value(figures.size as i64),
            queue_depth: Field::Value(i64::from(figures.depth)),
        }
    }

    fn credentials_of(&self, run: &JobRun) -> Vec<Credentials> {
        let registry = self.settings.registry.as_deref();
        registry
            .map(|url| Credentials {
                type_: Field::from("registry"),
                url: Field::from(url),
                username: Field::from("gitlab-ci-token"),
                password: Field::from(&*run.token),
            })
            .into_iter()
            .collect()
    }

    fn dependency_list(&self, job: &Job, run: &JobRun) -> Vec<Dependency> {
        self.dependencies(job)
            .into_iter()
            .filter_map(|id| {
                let name = self.jobs.get(&id)?.definition.name.as_str();
                Some(Dependency {
                    id: Field::Value(id),
                    name: Field::from(name),
                    token: Field::from(&*run.token),
                    artifacts_file: match self.archive(id) {
                        Some(archive) => Field::Value(ArtifactsFile {
                            filename: Field::from(&*archive.filename),
                            size: Field::Value(archive.size as i64),
                        }),
                        None => Field::Absent,
                    },
                })
            })
            .collect()
    }
}

/// A job outside of any pipeline is described as one of a pipeline with its own id.
fn lone_pipeline(job: &Job, project: &Project) -> Pipeline {
    Pipeline {
        id: job.id,
        iid: job.id,
        project: project.id,
        ref_: project.default_branch.clone(),
        tag: false,
        sha: format!("{:040x}", job.id),
        before_sha: "0".repeat(40),
        protected: job.protected,
        source: "api".to_owned(),
        user: job.user,
        variables: Vec::new(),
        stages: Vec::new(),
        jobs: Vec::new(),
        status: JobStatus::Running,
        created_at: job.created_at,
        updated_at: job.created_at,
        started_at: None,
        finished_at: None,
    }
}

/// before_script and script as one step; `release`; `after_script` always and allowed to fail
/// (WIRE-PAY-03, WIRE-PAY-09).
fn steps(definition: &JobDefinition, timeout: i64) -> Vec<Step> {
    let step = |name: &str, script: Vec<String>, when: &str, allow_failure: bool| Step {
        name: Field::from(name),
        script: Field::Value(script),
        timeout: Field::Value(timeout),
        when: Field::from(when),
        allow_failure: Field::Value(allow_failure),
    };
    let script = [&definition.before_script[..], &definition.script[..]].concat();
    let mut steps = vec![step("script", script, "on_success", false)];
    if !definition.release.is_empty() {
        steps.push(step(
            "release",
            definition.release.clone(),
            "on_success",
            false,
        ));
    }
    if !definition.after_script.is_empty() {
        steps.push(step(
            "after_script",
            definition.after_script.clone(),
            "always",
            true,
        ));
    }
    steps
}

fn or_null<T: Clone>(field: &Field<T>) -> Field<T> {
    match field {
        Field::Absent => Field::Null,
        other => other.clone(),
    }
}

fn or_empty<T: Clone + Default>(field: &Field<T>) -> Field<T> {
    Field::Value(field.get())
}

/// Image with the placeholders that GitLab sends (WIRE-PAY-06).
fn full_image(image: &Image) -> Image {
    Image {
        name: image.name.clone(),
        entrypoint: or_null(&image.entrypoint),
        ports: or_empty(&image.ports),
        executor_opts: or_empty(&image.executor_opts),
        pull_policy: or_null(&image.pull_policy),
    }
}

fn full_service(service: &Service) -> Service {
    Service {
        name: service.name.clone(),
        entrypoint: or_null(&service.entrypoint),
        ports: or_empty(&service.ports),
        executor_opts: or_empty(&service.executor_opts),
        pull_policy: or_null(&service.pull_policy),
        alias: or_null(&service.alias),
        command: or_null(&service.command),
        variables: or_null(&service.variables),
    }
}

/// Archive first (only with paths or untracked), then one per report (WIRE-PAY-08).
fn artifacts(definition: &JobDefinition) -> Vec<Artifact> {
    let Some(artifacts) = &definition.artifacts else {
        return Vec::new();
    };
    let mut list = Vec::new();
    if artifacts.untracked || !artifacts.paths.is_empty() {
        list.push(archive(artifacts));
    }
    for (file_type, paths) in &artifacts.reports {
        let format = crate::world::artifacts::format_of(file_type).unwrap_or("raw");
        list.push(Artifact {
            name: Field::Value(crate::world::artifacts::report_name(file_type)),
            untracked: Field::Absent,
            paths: Field::Value(paths.clone()),
            exclude: Field::Absent,
            when: Field::from("always"),
            expire_in: text_or_absent(artifacts.expire_in.as_deref()),
            artifact_type: Field::from(file_type.as_str()),
            artifact_format: Field::from(format),
        });
    }
    list
}

fn archive(artifacts: &ArtifactsDefinition) -> Artifact {
    Artifact {
        name: text_or_null(artifacts.name.as_deref()),
        untracked: Field::Value(artifacts.untracked),
        paths: Field::Value(artifacts.paths.clone()),
        exclude: if artifacts.exclude.is_empty() {
            Field::Absent
        } else {
            Field::Value(artifacts.exclude.clone())
        },
        when: text_or_null(artifacts.when.as_deref()),
        expire_in: text_or_null(artifacts.expire_in.as_deref()),
        artifact_type: Field::from("archive"),
        artifact_format: Field::from("zip"),
    }
}

fn text_or_null(text: Option<&str>) -> Field<String> {
    text.map_or(Field::Null, Field::from)
}

fn text_or_absent(text: Option<&str>) -> Field<String> {
    text.map_or(Field::Absent, Field::from)
}

/// Keys get the suffix of the ref's protection (wire.md 3.8).
fn caches(definition: &JobDefinition, protected: bool) -> Vec<Cache> {
    let suffix = if protected {
        "protected"
    } else {
        "non_protected"
    };
    let with_suffix = |key: &str| format!("{key}-{suffix}");
    let default = |field: &Field<String>, value: &str| match field.as_str() {
        "" => Field::from(value),
        own => Field::from(own),
    };
    definition
        .cache
        .iter()
        .map(|cache| Cache {
            key: Field::Value(with_suffix(match cache.key.as_str() {
                "" => "default",
                key => key,
            })),
            untracked: or_empty(&cache.untracked),
            paths: or_empty(&cache.paths),
            policy: default(&cache.policy, "pull-push"),
            when: default(&cache.when, "on_success"),
            fallback_keys: Field::Value(
                cache
                    .fallback_keys
                    .as_slice()
                    .iter()
                    .map(|key| with_suffix(key))
                    .collect(),
            ),
        })
        .collect()
}

fn failure_reasons() -> Vec<String> {
    FailureReason::ALL
        .iter()
        .filter(|reason| reason.is_server_reason())
        .map(|reason| reason.as_str().to_owned())
        .collect()
}
