//! What may start after a change (queueing.md 11).

use std::collections::BTreeMap;

use jiff::Timestamp;
use protocol::JobStatus;

use super::composite::StatusSet;
use crate::world::core::World;
use crate::world::definition::When;
use crate::world::event::EventKind;
use crate::world::{JobId, PipelineId};

impl World {
    /// Processes every pipeline whose jobs changed, until nothing changes any more.
    ///
    /// Costs one pass over a pipeline's jobs per round; rounds end because a job leaves `created` at
    /// most once in them.
    pub(in crate::world) fn settle(&mut self, now: Timestamp) {
        while let Some(pipeline) = self.dirty.pop_first() {
            self.process_pipeline(now, pipeline);
        }
    }

    fn process_pipeline(&mut self, now: Timestamp, id: PipelineId) {
        let created = self.created_in_order(id);
        let names = self.names_for_needs(id, &created);
        for job in created {
            self.process_job(now, id, job, &names);
        }
        self.update_pipeline(now, id);
    }

    /// Created jobs: stages ascending, within a stage needed jobs before those that need them.
    fn created_in_order(&self, id: PipelineId) -> Vec<JobId> {
        let mut created: Vec<(u32, usize, JobId)> = self
            .latest_jobs(id)
            .filter(|job| job.status == JobStatus::Created)
            .map(|job| (job.stage_index, 0, job.id))
            .collect();
        if created.is_empty() {
            return Vec::new();
        }
        let names: BTreeMap<&str, JobId> = self
            .latest_jobs(id)
            .map(|job| (job.definition.name.as_str(), job.id))
            .collect();
        let mut depths = BTreeMap::new();
        for entry in &mut created {
            entry.1 = self.need_depth(entry.2, &names, &mut depths);
        }
        created.sort_unstable();
        created.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Latest job of each name; empty when none of `created` looks for names.
    fn names_for_needs(&self, id: PipelineId, created: &[JobId]) -> BTreeMap<String, JobId> {
        let needed = created
            .iter()
            .filter_map(|id| self.jobs.get(id))
            .any(|job| job.definition.needs.is_some());
        if !needed {
            return BTreeMap::new();
        }
        self.latest_jobs(id)
            .map(|job| (job.definition.name.clone(), job.id))
            .collect()
    }

    /// How many steps of `needs` lie below a job, within its stage. A pipeline has no cycles: creation
    /// refuses them.
    fn need_depth(
        &self,
        id: JobId,
        names: &BTreeMap<&str, JobId>,
        depths: &mut BTreeMap<JobId, usize>,
    ) -> usize {
        if let Some(depth) = depths.get(&id) {
            return *depth;
        }
        let Some(job) = self.jobs.get(&id) else {
            return 0;
        };
        let mut depth = 0;
        for need in job.definition.needs.iter().flatten() {
            let needed = names
                .get(need.job.as_str())
                .and_then(|id| self.jobs.get(id));
            if let Some(needed) = needed.filter(|other| other.stage_index == job.stage_index) {
                depth = depth.max(1 + self.need_depth(needed.id, names, depths));
            }
        }
        depths.insert(id, depth);
        depth
    }

    fn process_job(
        &mut self,
        now: Timestamp,
        pipeline: PipelineId,
        id: JobId,
        names: &BTreeMap<String, JobId>,
    ) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let by_needs = job.definition.needs.is_some();
        let previous = self.previous_status(pipeline, id, names);
        if !previous.is_complete() {
            return;
        }
        let definition = &job.definition;
        let start_in = definition.start_in;
        let goes_on =
            previous == JobStatus::Success || (!by_needs && previous == JobStatus::Skipped);
        match definition.when {
            When::OnSuccess if goes_on => self.enqueue(now, id),
            When::Manual if goes_on => self.transition(now, id, JobStatus::Manual),
            When::Delayed if goes_on => self.schedule(now, id, start_in),
            When::OnFailure if previous == JobStatus::Failed => self.enqueue(now, id),
            When::Always if previous != JobStatus::Canceled => self.enqueue(now, id),
            _ => self.transition(now, id, JobStatus::Skipped),
        }
    }

    fn previous_status(
        &self,
        pipeline: PipelineId,
        id: JobId,
        names: &BTreeMap<String, JobId>,
    ) -> JobStatus {
        let Some(job) = self.jobs.get(&id) else {
            return JobStatus::Success;
        };
        let mut set = StatusSet::default();
        if let Some(needs) = &job.definition.needs {
            for need in needs {
                match names.get(&need.job).and_then(|id| self.jobs.get(id)) {
                    Some(needed) => set.add(needed.status, needed.allow_failure),
                    None => set.add_missing(),
                }
            }
            set.composite(true)
        } else {
            for other in self.latest_jobs(pipeline) {
                if other.stage_index < job.stage_index {
                    set.add(other.status, other.allow_failure);
                }
            }
            set.composite(false)
        }
    }

    /// Jobs of a pipeline that no newer attempt replaced, by id.
    pub(in crate::world) fn latest_jobs(
        &self,
        id: PipelineId,
    ) -> impl Iterator<Item = &crate::world::state::Job> {
        self.pipelines
            .get(&id)
            .into_iter()
            .flat_map(|pipeline| &pipeline.jobs)
            .filter_map(|id| self.jobs.get(id))
            .map(|job| &**job)
            .filter(|job| !job.retried)
    }

    fn update_pipeline(&mut self, now: Timestamp, id: PipelineId) {
        let mut set = StatusSet::default();
        let mut started = None;
        for job in self.latest_jobs(id) {
            set.add(job.status, job.allow_failure);
            started = match (started, job.started_at()) {
                (None, at) | (at, None) => at,
                (Some(a), Some(b)) => Some(a.min(b)),
            };
        }
        let status = set.composite(false);
        let Some(pipeline) = self.pipelines.get_mut(&id) else {
            return;
        };
        pipeline.updated_at = now;
        pipeline.started_at = pipeline.started_at.or(started);
        pipeline.finished_at = status.is_complete().then_some(now);
        if pipeline.status != status {
            pipeline.status = status;
            self.event(
                now,
                EventKind::PipelineStatus {
                    pipeline: id,
                    to: status,
                },
            );
        }
    }

    /// The delay of a job is over.
    pub(in crate::world) fn scheduled_time_came(&mut self, now: Timestamp, id: JobId) {
        let due = self.jobs.get(&id).is_some_and(|job| {
            job.status == JobStatus::Scheduled && job.scheduled_at.is_some_and(|at| at <= now)
        });
        if due {
            self.enqueue(now, id);
        }
    }
}
