//! Setting the world up and changing it, as an administrator does.

use std::sync::Arc;

use jiff::Timestamp;
use protocol::{JobStatus, token};

use super::answer::{ActionError, SetupError};
use super::core::{World, take_id};
use super::deadline::{DeadlineKind, after};
use super::definition::JobDefinition;
use super::setup::{NewGroup, NewJob, NewProject, NewUser, ProjectChange};
use super::state::{Group, Project, User};
use super::text::Text;
use super::{GroupId, JobId, ProjectId, UserId};

/// Depth of fetches in a new project.
const DEFAULT_GIT_DEPTH: i64 = 20;
/// Most tags of a job or a runner (queueing.md 1).
pub(super) const MAX_TAGS: usize = 50;

impl World {
    /// Adds a group.
    pub fn add_group(&mut self, now: Timestamp, group: NewGroup) -> Result<GroupId, SetupError> {
        if let Some(id) = group.id.filter(|id| self.groups.contains_key(id)) {
            return Err(SetupError::Taken { what: "group", id });
        }
        let parent = group.parent.map(|id| self.known_group(id)).transpose()?;
        let mut traversal_ids: Vec<GroupId> = parent
            .map(|parent| parent.traversal_ids.to_vec())
            .unwrap_or_default();
        let prefix = parent
            .map(|parent| format!("{}/", parent.full_path))
            .unwrap_or_default();
        let id = take_id(&mut self.next.group, group.id);
        traversal_ids.push(id);
        let path = if group.path.is_empty() {
            format!("group-{id}")
        } else {
            group.path
        };
        check_path(&path)?;
        let registration_token = self.registration_token(group.registration_token.as_deref());
        let full_path = format!("{prefix}{path}");
        self.groups.insert(
            id,
            Group {
                id,
                full_path,
                path,
                traversal_ids: Arc::new(traversal_ids),
                registration_token,
                variables: group.variables,
                created_at: now,
            },
        );
        Ok(id)
    }

    /// Adds a project.
    pub fn add_project(
        &mut self,
        now: Timestamp,
        project: NewProject,
    ) -> Result<ProjectId, SetupError> {
        if let Some(id) = project.id.filter(|id| self.projects.contains_key(id)) {
            return Err(SetupError::Taken {
                what: "project",
                id,
            });
        }
        check_path(&project.path)?;
        let group = project.group.map(|id| self.known_group(id)).transpose()?;
        let namespace = group.map_or("root", |group| &group.full_path);
        let full_path = format!("{namespace}/{}", project.path);
        if self.project_paths.contains_key(&full_path) {
            return Err(SetupError::Invalid {
                attribute: "path".to_owned(),
                text: format!("`{full_path}` has already been taken"),
            });
        }
        let id = take_id(&mut self.next.project, project.id);
        let registration_token = self.registration_token(project.registration_token.as_deref());
        self.project_paths.insert(full_path.clone(), id);
        self.projects.insert(
            id,
            Project {
                id,
                path: project.path,
                full_path,
                group: project.group,
                instance_runners: project.instance_runners,
                group_runners: project.group_runners,
                builds: project.builds,
                pending_delete: false,
                timeout: project
                    .timeout
                    .unwrap_or(self.settings.default_project_timeout_s),
                default_branch: project.default_branch,
                protected_refs: project.protected_refs,
                allow_git_fetch: project.allow_git_fetch,
                git_depth: project.git_depth.unwrap_or(DEFAULT_GIT_DEPTH),
                registration_token,
                variables: project.variables,
                resource_group_modes: project.resource_group_modes,
                auto_cancel: project.auto_cancel,
                job_token_allow_list: project.job_token_allow_list,
                pipelines: 0,
                created_at: now,
            },
        );
        Ok(id)
    }

    /// Adds a user.
    pub fn add_user(&mut self, user: NewUser) -> Result<UserId, SetupError> {
        if let Some(id) = user.id.filter(|id| self.users.contains_key(id)) {
            return Err(SetupError::Taken { what: "user", id });
        }
        let id = take_id(&mut self.next.user, user.id);
        let username = if user.username.is_empty() {
            format!("user-{id}")
        } else {
            user.username
        };
        let name = if user.name.is_empty() {
            username.clone()
        } else {
            user.name
        };
        self.users.insert(
            id,
            User {
                id,
                username,
                name,
                admin: user.admin,
                blocked: user.blocked,
            },
        );
        Ok(id)
    }

    /// Gives a user a personal access token; made up (`glpat-…`) when `None`. Returns the token.
    pub fn add_personal_access_token(
        &mut self,
        user: UserId,
        token: Option<&str>,
    ) -> Result<Text, SetupError> {
        if !self.users.contains_key(&user) {
            return Err(SetupError::Unknown {
                what: "user",
                id: user,
            });
        }
        let token = match token {
            Some(token) => Text::from(token),
            None => self.made_up_token(token::PERSONAL_PREFIX),
        };
        self.personal_access_tokens.insert(token.clone(), user);
        Ok(token)
    }

    /// Blocks or unblocks a user.
    pub fn set_user_blocked(&mut self, id: UserId, blocked: bool) -> Result<(), ActionError> {
        let user = self
            .users
            .get_mut(&id)
            .ok_or(ActionError::Unknown { what: "user", id })?;
        user.blocked = blocked;
        Ok(())
    }

    /// Adds a job outside of any pipeline.
    pub fn add_job(&mut self, now: Timestamp, job: NewJob) -> Result<JobId, SetupError> {
        self.tick(now);
        self.known_project(job.project)?;
        check_definition(&job.definition)?;
        self.check_job_id(job.id)?;
        let user = self.user_or_first(job.user)?;
        let start_in = job.definition.start_in;
        let id = self.make_job(
            now,
            super::transition::JobSeed {
                id: job.id,
                project: job.project,
                pipeline: None,
                definition: job.definition,
                stage_index: 0,
                protected: job.protected,
                user,
                retry_of: None,
            },
        );
        match job.status {
            JobStatus::Created => {}
            JobStatus::Pending => self.enqueue(now, id),
            JobStatus::Manual => self.transition(now, id, JobStatus::Manual),
            JobStatus::Scheduled => self.schedule(now, id, start_in),
            other => {
                self.jobs.remove(&id);
                return Err(SetupError::Invalid {
                    attribute: "status".to_owned(),
                    text: format!("of a new job cannot be {other}"),
                });
            }
        }
        Ok(id)
    }

    /// Changes a project. Waiting jobs keep their snapshot except for what queueing.md 1 names: the
    /// runner switches and the group. Costs `O(waiting jobs of the project)` when one of those changes.
    pub fn set_project(
        &mut self,
        now: Timestamp,
        id: ProjectId,
        change: ProjectChange,
    ) -> Result<(), ActionError> {
        self.tick(now);
        if let Some(group) = change.group {
            self.known_group(group)?;
        }
        let project = self.projects.get_mut(&id).ok_or(ActionError::Unknown {
            what: "project",
            id,
        })?;
        let before = (
            project.instance_runners,
            project.group_runners,
            project.group,
        );
        set(&mut project.instance_runners, change.instance_runners);
        set(&mut project.group_runners, change.group_runners);
        set(&mut project.builds, change.builds);
        set(&mut project.pending_delete, change.pending_delete);
        set(&mut project.timeout, change.timeout);
        set(&mut project.auto_cancel, change.auto_cancel);
        set(&mut project.protected_refs, change.protected_refs);
        if change.group.is_some() {
            project.group = change.group;
        }
        let instance = (project.instance_runners != before.0).then_some(project.instance_runners);
        let groups_changed = (project.group_runners, project.group) != (before.1, before.2);
        let moved = project.group != before.2;
        if moved {
            self.move_path(id);
        }
        if instance.is_some() || groups_changed {
            let groups = self.traversal(id);
            let groups = groups.as_deref().map_or(&[][..], Vec::as_slice);
            self.queue
                .rewrite(id, instance, groups_changed.then_some(groups));
        }
        Ok(())
    }

    fn move_path(&mut self, id: ProjectId) {
        let Some(project) = self.projects.get_mut(&id) else {
            return;
        };
        let group = project.group.and_then(|group| self.groups.get(&group));
        let namespace = group.map_or("root", |group| &group.full_path);
        self.project_paths.remove(&project.full_path);
        project.full_path = format!("{namespace}/{}", project.path);
        self.project_paths.insert(project.full_path.clone(), id);
    }

    /// Groups above a project whose runners may take its jobs; empty when group runners are off.
    pub(super) fn traversal(&self, id: ProjectId) -> Option<Arc<Vec<GroupId>>> {
        let project = self.projects.get(&id)?;
        let group = project.group.filter(|_| project.group_runners)?;
        Some(Arc::clone(&self.groups.get(&group)?.traversal_ids))
    }

    pub(super) fn known_group(&self, id: GroupId) -> Result<&Group, SetupError> {
        self.groups
            .get(&id)
            .ok_or(SetupError::Unknown { what: "group", id })
    }

    pub(super) fn known_project(&self, id: ProjectId) -> Result<&Project, SetupError> {
        self.projects.get(&id).ok_or(SetupError::Unknown {
            what: "project",
            id,
        })
    }

    pub(super) fn check_job_id(&self, id: Option<JobId>) -> Result<(), SetupError> {
        match id.filter(|id| self.jobs.contains_key(id)) {
            Some(id) => Err(SetupError::Taken { what: "job", id }),
            None => Ok(()),
        }
    }

    pub(super) fn user_or_first(&self, id: Option<UserId>) -> Result<UserId, SetupError> {
        let first = self.users.keys().next().copied().unwrap_or(1);
        let id = id.unwrap_or(first);
        if self.users.contains_key(&id) {
            Ok(id)
        } else {
            Err(SetupError::Unknown { what: "user", id })
        }
    }

    /// Puts a job into `scheduled` for `start_in` seconds.
    pub(super) fn schedule(&mut self, now: Timestamp, id: JobId, start_in: i64) {
        let at = after(now, start_in);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.scheduled_at = Some(at);
        }
        self.transition(now, id, JobStatus::Scheduled);
        self.at(at, DeadlineKind::Scheduled(id));
    }

    fn registration_token(&mut self, explicit: Option<&str>) -> Text {
        match explicit {
            Some(token) => Text::from(token),
            None => self.made_up_token(token::REGISTRATION_PREFIX),
        }
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Paths become folders: one segment, and none that leads elsewhere.
pub(super) fn check_path(path: &str) -> Result<(), SetupError> {
    let allowed = path
        .chars()
        .all(|c| c.is_alphanumeric() || "-_. ".contains(c));
    if allowed
        && !path.is_empty()
        && !path.starts_with('.')
        && !path.to_ascii_lowercase().ends_with(".git")
    {
        return Ok(());
    }
    Err(SetupError::Invalid {
        attribute: "path".to_owned(),
        text: "can contain only letters, digits, '_', '-' and '.'. Cannot start with '.' or end in '.git'"
            .to_owned(),
    })
}

/// Rules of a job definition.
pub(super) fn check_definition(definition: &JobDefinition) -> Result<(), SetupError> {
    let invalid = |attribute: &str, text: &str| SetupError::Invalid {
        attribute: format!("job `{}`: {attribute}", definition.name),
        text: text.to_owned(),
    };
    if definition.name.is_empty() {
        return Err(invalid("name", "can't be blank"));
    }
    if definition.tags.len() > MAX_TAGS {
        return Err(invalid("tags", "must be at most 50"));
    }
    if definition.retry.max > 2 {
        return Err(invalid("retry:max", "must be less than or equal to 2"));
    }
    if definition.timeout.is_some_and(|timeout| timeout <= 0) {
        return Err(invalid("timeout", "must be positive"));
    }
    if definition.when == super::definition::When::Delayed
        && !(1..=7 * 86_400).contains(&definition.start_in)
    {
        return Err(invalid("start_in", "must be between 1 second and 1 week"));
    }
    Ok(())
}
