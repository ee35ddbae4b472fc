//! Job slots, request slots and concurrent ids, by token (runner.md 4.2).

use std::collections::{BTreeMap, BTreeSet};

use super::Entry;

/// Numbers that tell the running jobs of one token apart (RUN-SCH-12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConcurrentIds {
    /// `CI_CONCURRENT_ID`: smallest number that no running job of the token has.
    pub concurrent_id: u32,
    /// `CI_CONCURRENT_PROJECT_ID`: the same among jobs of the same project.
    pub project_concurrent_id: u32,
}

/// Counters of one token; entries with the same token share them.
#[derive(Debug, Default)]
struct Counters {
    jobs: u32,
    requests: u32,
    /// `L` of runner.md 4.2; starts at 0.
    adaptive_limit: f64,
    ids: BTreeSet<u32>,
    project_ids: BTreeMap<i64, BTreeSet<u32>>,
}

#[derive(Debug, Default)]
pub(super) struct Slots {
    by_token: BTreeMap<String, Counters>,
}

impl Slots {
    /// Takes a job slot, if `limit` allows it. It is held until the job ends.
    pub(super) fn take_job<D>(&mut self, entry: &Entry<D>) -> bool {
        let counters = self.counters(&entry.token);
        let free = entry.limit == 0 || counters.jobs < entry.limit;
        counters.jobs += u32::from(free);
        free
    }

    pub(super) fn release_job(&mut self, token: &str) {
        let counters = self.counters(token);
        counters.jobs = counters.jobs.saturating_sub(1);
    }

    /// Takes a request slot, if one is free.
    pub(super) fn take_request<D>(&mut self, entry: &Entry<D>) -> bool {
        let free = self.requests(&entry.token) < self.request_limit(entry);
        self.counters(&entry.token).requests += u32::from(free);
        free
    }

    /// Gives a request slot back and adapts the limit to how the request ended.
    pub(super) fn release_request<D>(
        &mut self,
        entry: &Entry<D>,
        got_job: bool,
        back_pressured: bool,
    ) {
        let most = f64::from(entry.request_slots());
        let counters = self.counters(&entry.token);
        counters.requests = counters.requests.saturating_sub(1);
        let factor = match (back_pressured, got_job) {
            (true, _) => 0.5,
            (false, true) => 1.1,
            (false, false) => 0.95,
        };
        counters.adaptive_limit = (counters.adaptive_limit * factor).clamp(1.0, most);
    }

    /// How many requests `entry` may have under way (`U` of runner.md 4.2).
    pub(super) fn request_limit<D>(&self, entry: &Entry<D>) -> u32 {
        let most = entry.request_slots();
        if !entry.adaptive {
            return most;
        }
        (self.adaptive_limit(&entry.token).ceil() as u32).clamp(1, most)
    }

    /// `L` of runner.md 4.2.
    pub(super) fn adaptive_limit(&self, token: &str) -> f64 {
        self.by_token.get(token).map_or(0.0, |c| c.adaptive_limit)
    }

    /// Requests under way.
    pub(super) fn requests(&self, token: &str) -> u32 {
        self.by_token.get(token).map_or(0, |c| c.requests)
    }

    /// Job slots taken.
    pub(super) fn jobs(&self, token: &str) -> u32 {
        self.by_token.get(token).map_or(0, |c| c.jobs)
    }

    /// The smallest free numbers, taken until [`Slots::release_ids`].
    pub(super) fn take_ids(&mut self, token: &str, project: i64) -> ConcurrentIds {
        let counters = self.counters(token);
        ConcurrentIds {
            concurrent_id: take_smallest(&mut counters.ids),
            project_concurrent_id: take_smallest(counters.project_ids.entry(project).or_default()),
        }
    }

    pub(super) fn release_ids(&mut self, token: &str, project: i64, ids: ConcurrentIds) {
        let counters = self.counters(token);
        counters.ids.remove(&ids.concurrent_id);
        if let Some(used) = counters.project_ids.get_mut(&project) {
            used.remove(&ids.project_concurrent_id);
            if used.is_empty() {
                counters.project_ids.remove(&project);
            }
        }
    }

    fn counters(&mut self, token: &str) -> &mut Counters {
        self.by_token.entry(token.to_owned()).or_default()
    }
}

fn take_smallest(used: &mut BTreeSet<u32>) -> u32 {
    let free = (0..)
        .zip(used.iter())
        .find(|(number, used)| number != *used)
        .map_or(used.len() as u32, |(number, _)| number);
    used.insert(free);
    free
}
