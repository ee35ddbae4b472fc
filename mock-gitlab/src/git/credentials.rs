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
    /// The repository may be read: a job's token, which pushes nothing (GitLab's default).
    Read,
    /// It may be read and pushed to: a personal access token.
    Write,
    /// No usable credentials: 401, so that git sends some.
    Unknown,
    /// Good credentials for another project; as GitLab, the project is then said not to exist.
    OtherProject,
}

/// Checks `Authorization: Basic` for the project `full_path`: `gitlab-ci-token` with a job token, or any name
/// with a personal access token.
pub(super) fn check(world: &Mutex<World>, headers: &HeaderMap, full_path: &str) -> Access {
    let Some((user, password)) = basic(headers) else {
        return Access::Unknown;
    };
    let world = world.lock().unwrap_or_else(PoisonError::into_inner);
    let project = world.project_by_path(full_path).map(|project| project.id);
    if user == JOB_USER {
        let Some((job, _)) = world.authenticate_job_token(&password) else {
            return Access::Unknown;
        };
        let own = world.job(job).map(|job| job.project);
        return if project.is_some() && project == own {
            Access::Read
        } else {
            Access::OtherProject
        };
    }
    let user = world.user_by_personal_access_token(&password);
    match (user.filter(|user| !user.blocked), project) {
        (None, _) => Access::Unknown,
        (Some(_), None) => Access::OtherProject,
        (Some(_), Some(_)) => Access::Write,
    }
}

/// Name and password.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
