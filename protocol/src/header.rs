//! Header names of the runner API (wire.md 1.2, 1.9), in lower case as `http::HeaderName` wants them.

/// Runner token, repeated from the body (WIRE-CON-07).
pub const RUNNER_TOKEN: &str = "runner-token";
/// Job token (WIRE-CON-08).
pub const JOB_TOKEN: &str = "job-token";
/// Personal access token, on reset by id only (WIRE-CON-09).
pub const PRIVATE_TOKEN: &str = "private-token";
/// Correlation id: 32 lower-case hex digits, one per logical call (WIRE-CON-06).
pub const X_REQUEST_ID: &str = "x-request-id";
/// Opaque queue token of a 204 answer, sent back as `last_update` (WIRE-REQ-02).
pub const X_GITLAB_LAST_UPDATE: &str = "x-gitlab-last-update";
/// State of the job after the call.
pub const JOB_STATUS: &str = "job-status";
/// Seconds between trace patches (wire.md 4.4).
pub const X_GITLAB_TRACE_UPDATE_INTERVAL: &str = "x-gitlab-trace-update-interval";
/// Seconds to wait before a retry (wire.md 1.5).
pub const RETRY_AFTER: &str = "retry-after";
/// RFC 1123 date until which to wait before a retry (wire.md 1.5).
pub const RATELIMIT_RESETTIME: &str = "ratelimit-resettime";
/// Set by workhorse when long polling is on (queueing.md 7).
pub const GITLAB_CI_BUILDS_POLLING: &str = "gitlab-ci-builds-polling";
/// Range of a trace patch, `first-last`, both inclusive, no unit (WIRE-TRC-01).
pub const CONTENT_RANGE: &str = "content-range";
/// `0-<stored size>` in answers to trace patches (WIRE-TRC-12).
pub const RANGE: &str = "range";
