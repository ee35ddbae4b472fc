//! Upload, download and dependencies (wire.md 6, queueing.md 11).

use jiff::Timestamp;
use protocol::job_payload::Variable;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{expire, format_of};
use crate::world::JobId;
use crate::world::answer::ApiError;
use crate::world::core::World;
use crate::world::deadline::after;
use crate::world::event::EventKind;
use crate::world::state::Job;
use crate::world::text::Text;

const MIB: u64 = 1024 * 1024;

/// A stored artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Type such as `archive` or `junit`.
    pub file_type: Text,
    /// `zip`, `gzip` or `raw`.
    pub file_format: Text,
    /// File name.
    pub filename: Text,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file, hex.
    pub sha256: Text,
    /// When it expires.
    pub expire_at: Option<Timestamp>,
    /// When it was uploaded.
    pub created_at: Timestamp,
    /// Address in remote storage; direct downloads are redirected there.
    pub remote_url: Option<Text>,
    /// Variables of a `dotenv` report.
    pub dotenv: Vec<Variable>,
}

/// What an upload says, and what its bytes are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewArtifact<'a> {
    /// `artifact_type`; `None` = `archive`.
    pub file_type: Option<&'a str>,
    /// `artifact_format`; `None` = `zip`.
    pub file_format: Option<&'a str>,
    /// File name of the part.
    pub filename: &'a str,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file, hex.
    pub sha256: &'a str,
    /// `expire_in`; `None` = instance default.
    pub expire_in: Option<&'a str>,
    /// Variables of a `dotenv` report, read by the receiver; `None` = unreadable.
    pub dotenv: Option<Vec<Variable>>,
    /// Address in remote storage.
    pub remote_url: Option<&'a str>,
}

/// Answer 201 to an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upload {
    /// Stored: keep the bytes.
    Stored,
    /// The same file is there already: drop the bytes (WIRE-ART-06).
    Duplicate,
}

impl World {
    /// Whether an upload may begin, and how many bytes it may have (wire.md 6.2): 403, 405, 413.
    /// `token` is the parameter or the `JOB-TOKEN` header; `size` the announced one, if any.
    pub fn authorize_artifact_upload(
        &mut self,
        now: Timestamp,
        id: JobId,
        token: Option<&str>,
        size: Option<u64>,
    ) -> Result<u64, ApiError> {
        self.begin_call(now)?;
        let limit = self.settings.runner_jobs_endpoints_api_limit;
        if !self.settings.artifacts_enabled {
            return Err(ApiError::new(
                405,
                json!({ "message": "405 Method Not Allowed" }),
            ));
        }
        self.authenticate_job(now, id, token, |log| log.calls.count(now, limit))?;
        let maximum = self.settings.max_artifacts_size_mib.saturating_mul(MIB);
        if size.is_some_and(|size| size > maximum) {
            return Err(ApiError::file_too_large());
        }
        Ok(maximum)
    }

    /// `POST /jobs/:id/artifacts`, after the file was received: 201, 400, 403, 405, 413. No heartbeat.
    pub fn add_artifact(
        &mut self,
        now: Timestamp,
        id: JobId,
        token: Option<&str>,
        new: NewArtifact<'_>,
    ) -> Result<Upload, ApiError> {
        let file_type = Text::from(new.file_type.unwrap_or("archive"));
        let bytes = new.size;
        let result = self.store_artifact(now, id, token, new);
        if self.jobs.contains_key(&id) {
            let status = match &result {
                Ok(_) => 201,
                Err(error) => error.status,
            };
            let kind = EventKind::ArtifactUpload {
                job: id,
                file_type,
                status,
                bytes,
            };
            self.event(now, kind);
        }
        result
    }

    fn store_artifact(
        &mut self,
        now: Timestamp,
        id: JobId,
        token: Option<&str>,
        new: NewArtifact<'_>,
    ) -> Result<Upload, ApiError> {
        self.authorize_artifact_upload(now, id, token, Some(new.size))?;
        self.put_artifact(now, id, new)
    }

    /// Stores an artifact without anybody's upload. Type, format and what is there already are checked as
    /// in [`World::add_artifact`]: 400.
    pub fn put_artifact(
        &mut self,
        now: Timestamp,
        id: JobId,
        new: NewArtifact<'_>,
    ) -> Result<Upload, ApiError> {
        let file_type = new.file_type.unwrap_or("archive");
        let file_format = new.file_format.unwrap_or("zip");
        let Some(expected) = format_of(file_type) else {
            return Err(no_valid_value("artifact_type"));
        };
        if !["zip", "gzip", "raw"].contains(&file_format) {
            return Err(no_valid_value("artifact_format"));
        }
        if file_format != expected {
            return Err(message("Invalid file format with specified file type"));
        }
        if let Some(old) = self.artifact(id, file_type) {
            return if old.sha256 == new.sha256 {
                Ok(Upload::Duplicate)
            } else {
                Err(message("another artifact of the same type already exists"))
            };
        }
        let dotenv = match (file_type, new.dotenv) {
            ("dotenv", None) => return Err(message("Invalid Format")),
            (_, dotenv) => dotenv.unwrap_or_default(),
        };
        let life = match new.expire_in.filter(|text| !text.trim().is_empty()) {
            None => self.settings.default_artifacts_expire_in_s,
            Some(text) => expire::parse(text)
                .ok_or_else(|| ApiError::bad_request("expire_in is not a duration"))?,
        };
        let artifact = Artifact {
            file_type: Text::from(file_type),
            file_format: Text::from(file_format),
            filename: Text::from(new.filename),
            size: new.size,
            sha256: Text::from(new.sha256),
            expire_at: life.map(|life| after(now, life)),
            created_at: now,
            remote_url: new.remote_url.map(Text::from),
            dotenv,
        };
        self.artifacts
            .entry(id)
            .or_default()
            .insert(Text::from(file_type), artifact);
        Ok(Upload::Stored)
    }

    /// `GET /jobs/:id/artifacts` (wire.md 6.3): the archive, or 401, 403, 404. No heartbeat.
    ///
    /// The token must be of a running job; it opens the artifacts of its own project and of projects
    /// that allow its project (WIRE-ART-09, WIRE-PAY-14).
    pub fn download_artifact(
        &mut self,
        now: Timestamp,
        token: Option<&str>,
        id: JobId,
    ) -> Result<&Artifact, ApiError> {
        self.begin_call(now)?;
        let token = token.unwrap_or_default();
        let (by, _) = self
            .authenticate_job_token(token)
            .ok_or_else(ApiError::unauthorized)?;
        let limit = self.settings.runner_jobs_endpoints_api_limit;
        let calls = &mut self.log(by).calls;
        calls.count(now, limit).map_err(ApiError::rate_limited)?;
        let from = self.jobs.get(&by).map(|job| job.project);
        let of = self.jobs.get(&id).map(|job| job.project);
        let allowed = match (from, of) {
            (Some(from), Some(of)) => {
                from == of
                    || self
                        .projects
                        .get(&of)
                        .is_some_and(|project| project.job_token_allow_list.contains(&from))
            }
            _ => false,
        };
        if !allowed {
            return Err(ApiError::forbidden());
        }
        self.archive(id)
            .filter(|archive| archive.expire_at.is_none_or(|end| now < end))
            .ok_or_else(|| ApiError::not_found(None))
    }

    /// Artifacts of a job, by type.
    pub fn artifacts(&self, id: JobId) -> impl Iterator<Item = &Artifact> {
        self.artifacts
            .get(&id)
            .into_iter()
            .flat_map(|all| all.values())
    }

    /// One artifact of a job.
    pub fn artifact(&self, id: JobId, file_type: &str) -> Option<&Artifact> {
        self.artifacts.get(&id)?.get(file_type)
    }

    /// Keeps the artifacts of a job for ever, as a user does.
    pub fn keep_artifacts(&mut self, id: JobId) {
        for artifact in self.artifacts.get_mut(&id).into_iter().flatten() {
            artifact.1.expire_at = None;
        }
    }

    /// Drops the artifacts of a job, as a user does. The job stays downloadable for nobody.
    pub fn delete_artifacts(&mut self, id: JobId) {
        self.artifacts.remove(&id);
    }

    pub(in crate::world) fn archive(&self, id: JobId) -> Option<&Artifact> {
        self.artifact(id, "archive")
    }

    pub(in crate::world) fn dotenv(&self, id: JobId) -> &[Variable] {
        self.artifact(id, "dotenv")
            .map_or(&[], |report| &report.dotenv)
    }

    /// Jobs whose artifacts a job gets (queueing.md 11): earlier stages, or what it needs with
    /// artifacts; `dependencies` narrows that by name. Latest attempts only.
    pub(in crate::world) fn dependencies(&self, job: &Job) -> Vec<JobId> {
        let Some(pipeline) = job.pipeline else {
            return Vec::new();
        };
        let definition = &*job.definition;
        if definition.dependencies.as_ref().is_some_and(Vec::is_empty) {
            return Vec::new();
        }
        self.latest_jobs(pipeline)
            .filter(|other| match &definition.needs {
                Some(needs) => needs
                    .iter()
                    .any(|need| need.artifacts && need.job == other.definition.name),
                None => other.stage_index < job.stage_index,
            })
            .filter(|other| match &definition.dependencies {
                Some(names) => names.contains(&other.definition.name),
                None => true,
            })
            .map(|other| other.id)
            .collect()
    }

    /// Whether the artifacts of a dependency were erased or have expired (queueing.md 6). Nothing is
    /// locked here: the setting "keep artifacts of the latest pipelines" is off.
    pub(in crate::world) fn misses_dependency(&self, now: Timestamp, job: &Job) -> bool {
        self.dependencies(job).into_iter().any(|id| {
            let erased = self
                .jobs
                .get(&id)
                .is_some_and(|job| job.erased_at.is_some());
            let expired = self
                .archive(id)
                .and_then(|archive| archive.expire_at)
                .is_some_and(|end| end <= now);
            erased || expired
        })
    }
}

fn message(text: &str) -> ApiError {
    ApiError::new(400, json!({ "message": text }))
}

fn no_valid_value(parameter: &str) -> ApiError {
    let text = format!("{parameter} does not have a valid value");
    ApiError::new(400, json!({ "error": text }))
}
