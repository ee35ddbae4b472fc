//! Paths of the runner API (wire.md 1.1 and 2).

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

/// Why a configured URL cannot be used (WIRE-CON-02).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Neither `http` nor `https`.
    #[error("only http or https scheme supported")]
    Scheme,
}

/// The API base of a configured `url`: trailing slashes and one `/ci` removed, `/api/v4/` added
/// (wire.md 1.1, WIRE-CON-01).
pub fn api_base(url: &str) -> Result<String, BaseUrlError> {
    let scheme_ok = ["http://", "https://"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    });
    if !scheme_ok {
        return Err(BaseUrlError::Scheme);
    }
    let trimmed = url.trim_end_matches('/');
    let trimmed = trimmed.strip_suffix("/ci").unwrap_or(trimmed);
    Ok(format!("{trimmed}{API_V4}"))
}
