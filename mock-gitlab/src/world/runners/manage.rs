//! Making, changing and removing runners.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::RunnerEntry;
use crate::world::admin::MAX_TAGS;
use crate::world::answer::{ActionError, SetupError};
use crate::world::core::{World, take_id};
use crate::world::event::EventKind;
use crate::world::setup::{NewRunner, RunnerChange};
use crate::world::state::{Runner, RunnerType};
use crate::world::text::Text;
use crate::world::transition::sorted_tags;
use crate::world::{ProjectId, RunnerId};

/// Least `maximum_timeout` of a runner, s.
const LEAST_MAXIMUM_TIMEOUT_S: i64 = 600;

impl World {
    /// Adds a runner. The rules of registration hold (tags, scope).
    pub fn add_runner(&mut self, now: Timestamp, new: NewRunner) -> Result<RunnerId, SetupError> {
        let token = match &new.token {
            Some(token) => Text::from(token.as_str()),
            None => self.runner_token(new.runner_type, false),
        };
        self.insert_runner(now, new, token)
    }

    pub(super) fn insert_runner(
        &mut self,
        now: Timestamp,
        new: NewRunner,
        token: Text,
    ) -> Result<RunnerId, SetupError> {
        if let Some(id) = new.id.filter(|id| self.runners.contains_key(id)) {
            return Err(SetupError::Taken { what: "runner", id });
        }
        if self.runner_tokens.get(&token).is_some() {
            return Err(invalid("token", "has already been taken"));
        }
        check_settings(&new.tags, new.run_untagged, new.maximum_timeout)?;
        let projects = self.check_scope(&new)?;
        let id = take_id(&mut self.next.runner, new.id);
        let record = Runner {
            id,
            runner_type: new.runner_type,
            group: new.group,
            projects,
            token: token.clone(),
            token_expires_at: self.token_expiry(now),
            description: new.description,
            maintenance_note: new.maintenance_note,
            paused: new.paused,
            locked: new.locked,
            run_untagged: new.run_untagged,
            tags: sorted_tags(&new.tags),
            access_level: new.access_level,
            maximum_timeout: new.maximum_timeout.filter(|timeout| *timeout > 0),
            contacted_at: None,
            created_at: now,
            managers: BTreeMap::new(),
        };
        self.runner_tokens.insert(token, id);
        self.runners.insert(id, RunnerEntry::new(record));
        self.event(now, EventKind::RunnerCreated { runner: id });
        Ok(id)
    }

    fn check_scope(&self, new: &NewRunner) -> Result<Vec<ProjectId>, SetupError> {
        match (new.runner_type, new.group) {
            (RunnerType::GroupType, None) => {
                return Err(invalid(
                    "runner",
                    "needs to be assigned to exactly one group",
                ));
            }
            (RunnerType::GroupType, Some(group)) => {
                self.known_group(group)?;
            }
            (_, Some(_)) => {
                return Err(invalid("runner", "cannot have groups assigned"));
            }
            (_, None) => {}
        }
        if new.runner_type == RunnerType::ProjectType {
            if new.projects.is_empty() {
                return Err(invalid(
                    "runner",
                    "needs to be assigned to at least one project",
                ));
            }
        } else if !new.projects.is_empty() {
            return Err(invalid("runner", "cannot have projects assigned"));
        }
        self.sorted_projects(&new.projects)
    }

    fn sorted_projects(&self, projects: &[ProjectId]) -> Result<Vec<ProjectId>, SetupError> {
        let mut sorted = projects.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        for id in &sorted {
            self.known_project(*id)?;
        }
        Ok(sorted)
    }

    /// Changes a runner, and gives it a new `last_update` value.
    pub fn set_runner(
        &mut self,
        now: Timestamp,
        id: RunnerId,
        change: RunnerChange,
    ) -> Result<(), ActionError> {
        self.tick(now);
        let unknown = ActionError::Unknown { what: "runner", id };
        let record = self.runners.get(&id).map(|entry| &entry.record);
        let Some(record) = record else {
            return Err(unknown);
        };
        let tags = match &change.tags {
            Some(tags) => tags.clone(),
            None => record.tags.iter().map(ToString::to_string).collect(),
        };
        let run_untagged = change.run_untagged.unwrap_or(record.run_untagged);
        check_settings(&tags, run_untagged, change.maximum_timeout)?;
        let projects = match &change.projects {
            Some(projects) if record.runner_type == RunnerType::ProjectType => {
                self.check_new_projects(record, projects)?
            }
            Some(_) => {
                return Err(invalid("runner", "cannot have projects assigned").into());
            }
            None => record.projects.clone(),
        };
        let Some(entry) = self.runners.get_mut(&id) else {
            return Err(unknown);
        };
        let record = &mut entry.record;
        record.tags = sorted_tags(&tags);
        record.run_untagged = run_untagged;
        record.projects = projects;
        record.paused = change.paused.unwrap_or(record.paused);
        record.locked = change.locked.unwrap_or(record.locked);
        record.access_level = change.access_level.unwrap_or(record.access_level);
        if let Some(description) = change.description {
            record.description = description;
        }
        if let Some(note) = change.maintenance_note {
            record.maintenance_note = note;
        }
        if let Some(timeout) = change.maximum_timeout {
            record.maximum_timeout = Some(timeout).filter(|timeout| *timeout > 0);
        }
        entry.refresh_matcher();
        self.tick_runner(id);
        Ok(())
    }

    /// A locked runner cannot be assigned to further projects (queueing.md 3).
    fn check_new_projects(
        &self,
        record: &Runner,
        projects: &[ProjectId],
    ) -> Result<Vec<ProjectId>, ActionError> {
        let sorted = self.sorted_projects(projects)?;
        if sorted.is_empty() {
            return Err(invalid("runner", "needs to be assigned to at least one project").into());
        }
        let further = sorted.iter().any(|id| !record.projects.contains(id));
        if record.locked && further {
            return Err(invalid("runner", "is locked and cannot be assigned").into());
        }
        Ok(sorted)
    }

    /// Removes a runner, as an administrator does. Jobs that it has stay with it.
    pub fn delete_runner(&mut self, now: Timestamp, id: RunnerId) -> Result<(), ActionError> {
        self.tick(now);
        if self.remove_runner(now, id) {
            Ok(())
        } else {
            Err(ActionError::Unknown { what: "runner", id })
        }
    }

    pub(super) fn remove_runner(&mut self, now: Timestamp, id: RunnerId) -> bool {
        let Some(entry) = self.runners.remove(&id) else {
            return false;
        };
        self.runner_tokens.remove(&entry.record.token);
        self.armed.remove(&id);
        self.event(now, EventKind::RunnerDeleted { runner: id });
        true
    }
}

fn check_settings(
    tags: &[String],
    run_untagged: bool,
    maximum_timeout: Option<i64>,
) -> Result<(), SetupError> {
    if tags.is_empty() && !run_untagged {
        return Err(invalid(
            "tags_list",
            "can not be empty when runner is not allowed to pick untagged jobs",
        ));
    }
    if tags.len() > MAX_TAGS {
        return Err(invalid(
            "tags_list",
            "Too many tags specified. Please limit the number of tags to 50",
        ));
    }
    if maximum_timeout.is_some_and(|timeout| (1..LEAST_MAXIMUM_TIMEOUT_S).contains(&timeout)) {
        return Err(invalid(
            "maximum_timeout",
            "needs to be at least 10 minutes",
        ));
    }
    Ok(())
}

pub(super) fn invalid(attribute: &str, text: &str) -> SetupError {
    SetupError::Invalid {
        attribute: attribute.to_owned(),
        text: text.to_owned(),
    }
}
