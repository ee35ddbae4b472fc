//! Who asks for a repository.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::world::World;

/// User name that goes with a job token.
const JOB_USER: &str = "gitlab-ci-token";

/// What the credentials of a request allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The repository may be read.
    Read,
    /// No usable credentials: 401, so that git sends some.
    Unknown,
    /// Good credentials for another project; as GitLab, the project is then said not to exist.
    OtherProject,
}

/// Checks `Authorization: Basic gitlab-ci-token:<job token>` for the project `full_path`.
pub(super) fn check(world: &Mutex<World>, headers: &HeaderMap, full_path: &str) -> Access {
    let Some(token) = job_token(headers) else {
        return Access::Unknown;
    };
    let world = world.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((job, _)) = world.authenticate_job_token(&token) else {
        return Access::Unknown;
    };
    let project = world.project_by_path(full_path).map(|project| project.id);
    let own = world.job(job).map(|job| job.project);
    if project.is_some() && project == own {
        Access::Read
    } else {
        Access::OtherProject
    }
}

fn job_token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let encoded = value.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, token) = text.split_once(':')?;
    (user == JOB_USER).then(|| token.to_owned())
}
