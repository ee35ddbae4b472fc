//! Registration, verify and unregister (wire.md 3.2-3.6).

use jiff::Timestamp;
use protocol::info::Info;

use super::token::same;
use crate::world::answer::{ApiError, Credentials, RegistrationScope, SetupError};
use crate::world::core::World;
use crate::world::event::EventKind;
use crate::world::setup::NewRunner;
use crate::world::state::{AccessLevel, RunnerType, User};
use crate::world::text::Text;
use crate::world::{ProjectId, RunnerId};

/// Parameters of `POST /runners` (wire.md 3.2), already freed from their encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterRunner<'a> {
    /// Registration token; `None` = missing.
    pub token: Option<&'a str>,
    /// Shown in GitLab.
    pub description: String,
    /// Free text.
    pub maintenance_note: String,
    /// Tags, from a comma-separated string or an array (WIRE-REG-05).
    pub tag_list: Vec<String>,
    /// Takes jobs without tags; `None` = true.
    pub run_untagged: Option<bool>,
    /// Cannot be assigned to further projects; `None` = false.
    pub locked: Option<bool>,
    /// Takes no jobs.
    pub paused: bool,
    /// Which jobs by protection.
    pub access_level: AccessLevel,
    /// Most job timeout, s.
    pub maximum_timeout: Option<i64>,
    /// The runner about itself.
    pub info: Info,
}

impl World {
    /// Which scope a registration token stands for.
    pub fn registration_scope(&self, token: &str) -> Option<RegistrationScope> {
        if same(&self.instance_registration_token, token) {
            return Some(RegistrationScope::Instance);
        }
        let project = self
            .projects
            .values()
            .find(|project| same(&project.registration_token, token));
        if let Some(project) = project {
            return Some(RegistrationScope::Project(project.id));
        }
        self.groups
            .values()
            .find(|group| same(&group.registration_token, token))
            .map(|group| RegistrationScope::Group(group.id))
    }

    /// `POST /runners` with a registration token: 201, 400, 403, 410.
    pub fn register_runner(
        &mut self,
        now: Timestamp,
        parameters: RegisterRunner<'_>,
        _peer: &str,
    ) -> Result<Credentials, ApiError> {
        self.begin_call(now)?;
        let token = parameters
            .token
            .filter(|token| !token.is_empty())
            .ok_or_else(|| ApiError::missing("token"))?;
        let scope = self
            .registration_scope(token)
            .ok_or_else(|| ApiError::forbidden_because("invalid token supplied"))?;
        if !self.settings.allow_registration_tokens {
            return Err(ApiError::new(
                410,
                protocol::error_body::message(410, "Gone", Some("runner registration disallowed")),
            ));
        }
        let (runner_type, group, project) = match scope {
            RegistrationScope::Instance => (RunnerType::InstanceType, None, None),
            RegistrationScope::Group(id) => (RunnerType::GroupType, Some(id), None),
            RegistrationScope::Project(id) => (RunnerType::ProjectType, None, Some(id)),
        };
        let new = NewRunner {
            runner_type,
            group,
            projects: project.into_iter().collect(),
            description: parameters.description,
            maintenance_note: parameters.maintenance_note,
            paused: parameters.paused,
            locked: parameters.locked.unwrap_or(false),
            run_untagged: parameters.run_untagged.unwrap_or(true),
            tags: parameters.tag_list,
            access_level: parameters.access_level,
            maximum_timeout: parameters.maximum_timeout,
            ..NewRunner::default()
        };
        let token = self.runner_token(runner_type, true);
        let id = self
            .insert_runner(now, new, token)
            .map_err(|error| validation(&error))?;
        Ok(self.credentials(id))
    }

    /// `POST /user/runners` with a personal access token: 201, 400, 401, 403. `runner_type` comes as
    /// text and `project` beside `runner.group`, so that their absence is answered as GitLab does.
    /// Instance runners are for administrators.
    pub fn create_user_runner(
        &mut self,
        now: Timestamp,
        personal_access_token: Option<&str>,
        runner_type: Option<&str>,
        project: Option<ProjectId>,
        runner: NewRunner,
    ) -> Result<Credentials, ApiError> {
        self.begin_call(now)?;
        let admin = self.user_of(personal_access_token)?.admin;
        let runner_type = match runner_type {
            Some("instance_type") => RunnerType::InstanceType,
            Some("group_type") => RunnerType::GroupType,
            Some("project_type") => RunnerType::ProjectType,
            Some(_) => {
                return Err(ApiError::new(
                    400,
                    serde_json::json!({ "error": "runner_type does not have a valid value" }),
                ));
            }
            None => return Err(ApiError::missing("runner_type")),
        };
        let (group, projects) = match runner_type {
            RunnerType::InstanceType if !admin => return Err(ApiError::forbidden()),
            RunnerType::InstanceType => (None, Vec::new()),
            RunnerType::GroupType => {
                let group = runner.group.ok_or_else(|| ApiError::missing("group_id"))?;
                if !self.groups.contains_key(&group) {
                    return Err(ApiError::not_found(Some("Group")));
                }
                (Some(group), Vec::new())
            }
            RunnerType::ProjectType => {
                let project = project.ok_or_else(|| ApiError::missing("project_id"))?;
                if !self.projects.contains_key(&project) {
                    return Err(ApiError::not_found(Some("Project")));
                }
                (None, vec![project])
            }
        };
        let new = NewRunner {
            runner_type,
            group,
            projects,
            ..runner
        };
        let id = self
            .add_runner(now, new)
            .map_err(|error| validation(&error))?;
        Ok(self.credentials(id))
    }

    /// `POST /runners/verify`: 200, 400, 403. Creates the manager of `system_id` (WIRE-REG-08).
    pub fn verify_runner(
        &mut self,
        now: Timestamp,
        token: Option<&str>,
        system_id: Option<&str>,
        info: Option<&Info>,
        peer: &str,
    ) -> Result<Credentials, ApiError> {
        self.begin_call(now)?;
        let id = self.runner_of(now, token)?;
        let system_id = self.touch_manager(now, id, system_id.unwrap_or_default(), info, peer);
        let kind = EventKind::RunnerVerified {
            runner: id,
            system_id,
        };
        self.event(now, kind);
        Ok(self.credentials(id))
    }

    /// `DELETE /runners`: 204, 400, 403.
    pub fn unregister_runner(
        &mut self,
        now: Timestamp,
        token: Option<&str>,
    ) -> Result<(), ApiError> {
        self.begin_call(now)?;
        let id = self.runner_of(now, token)?;
        self.remove_runner(now, id);
        Ok(())
    }

    /// `DELETE /runners/managers`: 204, 400, 403, 404. The runner stays, also without machines.
    pub fn unregister_manager(
        &mut self,
        now: Timestamp,
        token: Option<&str>,
        system_id: Option<&str>,
    ) -> Result<(), ApiError> {
        self.begin_call(now)?;
        let id = self.runner_of(now, token)?;
        let system_id = system_id
            .filter(|system_id| !system_id.is_empty())
            .ok_or_else(|| ApiError::missing("system_id"))?;
        let removed = self
            .runners
            .get_mut(&id)
            .and_then(|entry| entry.record.managers.remove(system_id));
        if removed.is_none() {
            return Err(ApiError::not_found(Some("Runner manager not found")));
        }
        let kind = EventKind::RunnerManagerDeleted {
            runner: id,
            system_id: Text::from(system_id),
        };
        self.event(now, kind);
        Ok(())
    }

    /// `GET /runners/router/discovery` with the `RUNNER-TOKEN` header: the server URL, 403 or 501.
    pub fn discover_router(
        &mut self,
        now: Timestamp,
        runner_token: Option<&str>,
    ) -> Result<String, ApiError> {
        self.begin_call(now)?;
        let token = runner_token.unwrap_or_default();
        self.runner_with_token(now, token)
            .ok_or_else(ApiError::forbidden)?;
        self.settings.job_router_url.clone().ok_or_else(|| {
            ApiError::new(
                501,
                serde_json::json!({ "message":
                    "Job Router is not available. Please contact your administrator." }),
            )
        })
    }

    /// Every call of the runner API begins like this: what time brought about, and the answer of an
    /// instance whose database is being migrated (WIRE-REQ-09).
    pub(in crate::world) fn begin_call(&mut self, now: Timestamp) -> Result<(), ApiError> {
        self.tick(now);
        if self.settings.migrations_running {
            return Err(ApiError::migrations());
        }
        Ok(())
    }

    pub(in crate::world) fn user_of(
        &self,
        personal_access_token: Option<&str>,
    ) -> Result<&User, ApiError> {
        personal_access_token
            .and_then(|token| self.user_by_personal_access_token(token))
            .ok_or_else(ApiError::unauthorized)
    }

    fn credentials(&self, id: RunnerId) -> Credentials {
        let record = self.runners.get(&id).map(|entry| &entry.record);
        Credentials {
            id,
            token: record
                .map(|record| record.token.to_string())
                .unwrap_or_default(),
            token_expires_at: record.and_then(|record| record.token_expires_at),
        }
    }
}

/// 400 with the attribute and its text (wire.md 1.8).
fn validation(error: &SetupError) -> ApiError {
    match error {
        SetupError::Invalid { attribute, text } => ApiError::validation(attribute, text),
        other => ApiError::validation("base", &other.to_string()),
    }
}
