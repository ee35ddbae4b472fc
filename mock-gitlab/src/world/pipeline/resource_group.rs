//! Resource groups: one job at a time (queueing.md 11).

use std::collections::BTreeSet;

use jiff::Timestamp;
use protocol::JobStatus;
use serde::{Deserialize, Serialize};

use crate::world::core::World;
use crate::world::state::ProcessMode;
use crate::world::text::Text;
use crate::world::{JobId, ProjectId};

/// One resource and the jobs that want it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::world) struct ResourceGroup {
    /// Has the resource, from `pending` until it ended.
    pub(in crate::world) holder: Option<JobId>,
    /// Jobs that have not ended.
    pub(in crate::world) members: BTreeSet<JobId>,
}

impl World {
    pub(in crate::world) fn join_resource_group(
        &mut self,
        project: ProjectId,
        group: &str,
        id: JobId,
    ) {
        self.resource_groups
            .entry((project, Text::from(group)))
            .or_default()
            .members
            .insert(id);
    }

    /// A job ended: it gives the resource back, and whoever is next gets it.
    pub(in crate::world) fn leave_resource_group(&mut self, now: Timestamp, id: JobId) {
        let Some(key) = self.resource_group_of(id) else {
            return;
        };
        let Some(group) = self.resource_groups.get_mut(&key) else {
            return;
        };
        group.members.remove(&id);
        if group.holder == Some(id) {
            group.holder = None;
        }
        if group.members.is_empty() {
            self.resource_groups.remove(&key);
        } else {
            self.assign_resource(now, &key);
        }
    }

    /// A job began to wait.
    pub(in crate::world) fn assign_resource_of(&mut self, now: Timestamp, id: JobId) {
        if let Some(key) = self.resource_group_of(id) {
            self.assign_resource(now, &key);
        }
    }

    fn resource_group_of(&self, id: JobId) -> Option<(ProjectId, Text)> {
        let job = self.jobs.get(&id)?;
        let group = job.definition.resource_group.as_deref()?;
        Some((job.project, Text::from(group)))
    }

    /// Takes one candidate if the resource is free. Costs `O(jobs of the group that have not ended)`.
    fn assign_resource(&mut self, now: Timestamp, key: &(ProjectId, Text)) {
        let Some(group) = self.resource_groups.get(key) else {
            return;
        };
        if group.holder.is_some() {
            return;
        }
        let Some(next) = self.next_for_resource(key, &group.members) else {
            return;
        };
        if let Some(group) = self.resource_groups.get_mut(key) {
            group.holder = Some(next);
        }
        self.transition(now, next, JobStatus::Pending);
    }

    fn next_for_resource(
        &self,
        key: &(ProjectId, Text),
        members: &BTreeSet<JobId>,
    ) -> Option<JobId> {
        let jobs = || members.iter().filter_map(|id| self.jobs.get(id));
        let waiting = |status| status == JobStatus::WaitingForResource;
        let upcoming =
            |status| waiting(status) || matches!(status, JobStatus::Created | JobStatus::Scheduled);
        let chosen = match self.process_mode(key) {
            ProcessMode::Unordered => jobs().find(|job| waiting(job.status)),
            ProcessMode::OldestFirst => jobs()
                .filter(|job| upcoming(job.status))
                .min_by_key(|job| (job.pipeline, job.id)),
            ProcessMode::NewestFirst => jobs()
                .filter(|job| upcoming(job.status))
                .min_by_key(|job| (std::cmp::Reverse(job.pipeline), job.id)),
            ProcessMode::NewestReadyFirst => jobs()
                .filter(|job| waiting(job.status))
                .min_by_key(|job| (std::cmp::Reverse(job.pipeline), job.id)),
        };
        chosen.filter(|job| waiting(job.status)).map(|job| job.id)
    }

    fn process_mode(&self, (project, group): &(ProjectId, Text)) -> ProcessMode {
        let modes = self
            .projects
            .get(project)
            .map(|project| &project.resource_group_modes);
        modes
            .and_then(|modes| modes.get(&**group).or_else(|| modes.get("")))
            .copied()
            .unwrap_or_default()
    }
}
