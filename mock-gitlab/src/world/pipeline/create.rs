//! New pipelines, and what becomes of the ones that they make redundant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use protocol::JobStatus;

use crate::world::admin::check_definition;
use crate::world::answer::SetupError;
use crate::world::core::{World, take_id};
use crate::world::deadline::seconds_between;
use crate::world::definition::JobDefinition;
use crate::world::setup::{NewPipeline, NewPipelineJob};
use crate::world::state::{AutoCancel, Pipeline};
use crate::world::transition::JobSeed;
use crate::world::{JobId, PipelineId};

/// Most entries of `needs` (queueing.md 11).
const MAX_NEEDS: usize = 50;
/// Only pipelines made in this time are made redundant by a newer one, s.
const AUTO_CANCEL_WINDOW_S: i64 = 7 * 86_400;
/// GitLab's stages when none are given.
const DEFAULT_STAGES: [&str; 5] = [".pre", "build", "test", "deploy", ".post"];

impl World {
    /// An id for a pipeline to come, so that its ref can be there before its jobs are.
    pub fn reserve_pipeline_id(&mut self) -> PipelineId {
        take_id(&mut self.next.pipeline, None)
    }

    /// Adds a pipeline and processes it once. Returns its id; its jobs are in [`World::pipeline`].
    pub fn add_pipeline(
        &mut self,
        now: Timestamp,
        new: NewPipeline,
    ) -> Result<PipelineId, SetupError> {
        self.tick(now);
        let project = self.known_project(new.project)?;
        if let Some(id) = new.id.filter(|id| self.pipelines.contains_key(id)) {
            return Err(SetupError::Taken {
                what: "pipeline",
                id,
            });
        }
        let stages = if new.stages.is_empty() {
            DEFAULT_STAGES.map(str::to_owned).to_vec()
        } else {
            new.stages
        };
        let ref_ = if new.ref_.is_empty() {
            project.default_branch.clone()
        } else {
            new.ref_
        };
        let protected = new
            .protected
            .unwrap_or_else(|| is_protected(&project.protected_refs, &ref_));
        let user = self.user_or_first(new.user)?;
        let stage_indexes = self.check_jobs(&new.jobs, &stages)?;

        let id = take_id(&mut self.next.pipeline, new.id);
        let iid = match self.projects.get_mut(&new.project) {
            Some(project) => {
                project.pipelines += 1;
                project.pipelines
            }
            None => 1,
        };
        let text_or = |text: String, default: String| if text.is_empty() { default } else { text };
        self.pipelines.insert(
            id,
            Pipeline {
                id,
                iid,
                project: new.project,
                ref_,
                tag: new.tag,
                sha: text_or(new.sha, format!("{id:040x}")),
                before_sha: text_or(new.before_sha, "0".repeat(40)),
                protected,
                source: text_or(new.source, "push".to_owned()),
                user,
                variables: new.variables,
                stages,
                jobs: Vec::with_capacity(new.jobs.len()),
                status: JobStatus::Created,
                created_at: now,
                updated_at: now,
                started_at: None,
                finished_at: None,
            },
        );
        for (job, stage_index) in new.jobs.into_iter().zip(stage_indexes) {
            let seed = JobSeed {
                id: job.id,
                project: new.project,
                pipeline: Some(id),
                definition: job.definition,
                stage_index,
                protected,
                user,
                retry_of: None,
            };
            let job = self.make_job(now, seed);
            if let Some(pipeline) = self.pipelines.get_mut(&id) {
                pipeline.jobs.push(job);
            }
        }
        self.cancel_redundant(now, id);
        self.dirty.insert(id);
        self.settle(now);
        Ok(id)
    }

    /// Checks ids, names, stages and needs. Returns the stage index of each job.
    fn check_jobs(
        &self,
        jobs: &[NewPipelineJob],
        stages: &[String],
    ) -> Result<Vec<u32>, SetupError> {
        let mut by_name: BTreeMap<&str, u32> = BTreeMap::new();
        let mut indexes = Vec::with_capacity(jobs.len());
        for job in jobs {
            self.check_job_id(job.id)?;
            let definition = &*job.definition;
            check_definition(definition)?;
            let Some(stage) = stages.iter().position(|stage| *stage == definition.stage) else {
                return Err(SetupError::UnknownName {
                    what: "stage",
                    name: definition.stage.clone(),
                });
            };
            if by_name.insert(&definition.name, stage as u32).is_some() {
                return Err(invalid(definition, "name", "has already been taken"));
            }
            indexes.push(stage as u32);
        }
        for (job, stage) in jobs.iter().zip(&indexes) {
            let definition = &*job.definition;
            let needs = definition.needs.as_deref().unwrap_or_default();
            if needs.len() > MAX_NEEDS {
                return Err(invalid(definition, "needs", "must be at most 50"));
            }
            for need in needs {
                match by_name.get(need.job.as_str()) {
                    None if need.optional => {}
                    None => return Err(unknown_job(&need.job)),
                    Some(needed) if needed > stage => {
                        return Err(invalid(definition, "needs", "name a job of a later stage"));
                    }
                    Some(_) => {}
                }
            }
            for name in definition.dependencies.iter().flatten() {
                if !by_name.contains_key(name.as_str()) {
                    return Err(unknown_job(name));
                }
            }
        }
        check_cycles(jobs)?;
        Ok(indexes)
    }

    /// Older pipelines of the same ref with another commit (queueing.md 11, auto-cancel).
    fn cancel_redundant(&mut self, now: Timestamp, id: PipelineId) {
        let Some(new) = self.pipelines.get(&id) else {
            return;
        };
        let mode = self
            .projects
            .get(&new.project)
            .and_then(|project| project.auto_cancel);
        let Some(mode) = mode.filter(|mode| *mode != AutoCancel::None) else {
            return;
        };
        let redundant: Vec<PipelineId> = self
            .pipelines
            .range(..id)
            .map(|(_, old)| old)
            .filter(|old| old.project == new.project && old.ref_ == new.ref_ && old.tag == new.tag)
            .filter(|old| old.sha != new.sha && !old.status.is_complete())
            .filter(|old| seconds_between(old.created_at, now) <= AUTO_CANCEL_WINDOW_S)
            .map(|old| old.id)
            .collect();
        for old in redundant {
            let uninterruptible_started = self
                .latest_jobs(old)
                .any(|job| !job.definition.interruptible && job.started_at().is_some());
            if mode == AutoCancel::Conservative && uninterruptible_started {
                continue;
            }
            let jobs: Vec<JobId> = self
                .latest_jobs(old)
                .filter(|job| mode == AutoCancel::Conservative || job.definition.interruptible)
                .map(|job| job.id)
                .collect();
            for job in jobs {
                self.cancel_if_possible(now, job);
            }
        }
    }
}

fn invalid(definition: &JobDefinition, attribute: &str, text: &str) -> SetupError {
    SetupError::Invalid {
        attribute: format!("job `{}`: {attribute}", definition.name),
        text: text.to_owned(),
    }
}

fn unknown_job(name: &str) -> SetupError {
    SetupError::UnknownName {
        what: "job",
        name: name.to_owned(),
    }
}

/// Needs must not go in circles: jobs whose needs are all placed are placed, until none is left.
fn check_cycles(jobs: &[NewPipelineJob]) -> Result<(), SetupError> {
    let mut open: Vec<&JobDefinition> = jobs.iter().map(|job| &*job.definition).collect();
    loop {
        let names: std::collections::BTreeSet<&str> =
            open.iter().map(|job| job.name.as_str()).collect();
        let before = open.len();
        open.retain(|job| {
            let mut needs = job.needs.iter().flatten();
            needs.any(|need| names.contains(need.job.as_str()))
        });
        match open.first() {
            None => return Ok(()),
            Some(job) if open.len() == before => {
                return Err(invalid(job, "needs", "go in a circle"));
            }
            Some(_) => {}
        }
    }
}

/// Whether a ref matches one of the protected ones.
pub(in crate::world) fn is_protected(patterns: &[String], ref_: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => ref_.starts_with(prefix),
            None => pattern == ref_,
        })
}
