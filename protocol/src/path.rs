//! Paths of the runner API (wire.md 1.1 and 2).

use crate::artifact::UploadQuery;

/// Prefix of every endpoint.
pub const API_V4: &str = "/api/v4/";

/// `POST` to register, `DELETE` to unregister.
pub const RUNNERS: &str = "runners";
/// `POST`: is this token valid?
pub const RUNNERS_VERIFY: &str = "runners/verify";
/// `DELETE`: forget one runner manager.
pub const RUNNERS_MANAGERS: &str = "runners/managers";
/// `POST`: replace the token that is sent.
pub const RUNNERS_RESET_AUTHENTICATION_TOKEN: &str = "runners/reset_authentication_token";
/// `POST`: the poll.
pub const JOBS_REQUEST: &str = "jobs/request";
/// `GET`: where the job router is.
pub const RUNNERS_ROUTER_DISCOVERY: &str = "runners/router/discovery";

/// `POST`: replace the token of runner `id`, with a personal access token.
pub fn reset_by_id(id: i64) -> String {
    format!("runners/{id}/reset_authentication_token")
}

/// `PUT`: state of job `id`.
pub fn job(id: i64) -> String {
    format!("jobs/{id}")
}

/// `PATCH`: log of job `id`; `debug_trace` is always sent (WIRE-TRC-02).
pub fn job_trace(id: i64, debug_trace: bool) -> String {
    format!("jobs/{id}/trace?debug_trace={debug_trace}")
}

/// `POST` and `GET`: artifacts of job `id`.
pub fn job_artifacts(id: i64) -> String {
    format!("jobs/{id}/artifacts")
}

/// `POST`: upload to job `id`; the `?` is there even without a member (wire.md 6.1).
pub fn job_artifacts_upload(id: i64, query: &UploadQuery<'_>) -> String {
    format!("jobs/{id}/artifacts?{}", query.encoded())
}

/// `GET`: artifacts of job `id`, as the runner asks: direct, or with an empty query (wire.md 6.3).
pub fn job_artifacts_download(id: i64, direct: bool) -> String {
    let member = if direct { "direct_download=true" } else { "" };
    format!("jobs/{id}/artifacts?{member}")
}

/// `GET`: key of the job's suspended environment (wire.md 3.10).
pub fn job_runtime_environment_key(id: i64) -> String {
    format!("jobs/{id}/runtime_environment_key")
}

/// Why a configured URL cannot be used (WIRE-CON-02).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Neither `http` nor `https`.
    #[error("only http or https scheme supported")]
    Scheme,
    /// Nothing between `://` and the path.
    #[error("the URL names no host")]
    Host,
}

/// The API base of a configured `url`: trailing slashes and one `/ci` removed, `/api/v4/` added
/// (wire.md 1.1, WIRE-CON-01). Endpoints are appended to it as they stand.
///
/// A query or fragment swallows the added part, and what remains of the path counts up to its last
/// slash: `http://h/a?x=1` gives `http://h/` (recorded in `url-forms`). The scheme is lower-cased.
pub fn api_base(url: &str) -> Result<String, BaseUrlError> {
    let (scheme, rest) = url.split_once("://").ok_or(BaseUrlError::Scheme)?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err(BaseUrlError::Scheme);
    }
    if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
        return Err(BaseUrlError::Host);
    }
    let trimmed = url[scheme.len()..].trim_end_matches('/');
    let trimmed = trimmed.strip_suffix("/ci").unwrap_or(trimmed);
    let Some(end) = trimmed.find(['?', '#']) else {
        return Ok(format!("{scheme}{trimmed}{API_V4}"));
    };
    // `://` comes before the authority, so a path is there only if a slash follows those.
    let path = &trimmed[3..end];
    let base = path.rfind('/').map_or(path, |slash| &path[..slash]);
    Ok(format!("{scheme}://{base}/"))
}
