//! The wire protocol between GitLab Runner and GitLab.
//!
//! This crate is the only place where a JSON member or an HTTP header of the runner API is spelled.
//! It does no I/O and reads no clock. Sources are sections of `spec/wire.md`.
//!
//! # Layout
//!
//! - [`field`]: a member that may be absent, null or set, so that a body re-encodes as it came.
//! - [`go_json`]: decoding with the rules of the official runner (wire.md 3.8).
//! - [`info`]: the `info` object and the feature flags (wire.md 3.1).
//! - [`runners`]: registration, verify, unregister, token reset (wire.md 3.2-3.6).
//! - [`job_request`]: the poll (wire.md 3.7); [`job_payload`]: its answer (wire.md 3.8).
//! - [`job_update`]: `PUT /jobs/:id` (wire.md 5); [`trace`]: ranges and checksums (wire.md 4).
//! - [`failure_reason`]: failure reasons and their mapping (wire.md 5.2, runner.md 5.4).
//! - [`job_status`]: job states (queueing.md 10).
//! - [`token`]: token formats and shortening (wire.md 7.1, runner.md 7.1).
//! - [`secrets`]: secrets of a payload; [`artifact`]: types, formats and the upload query (wire.md 6).
//! - [`time`]: points in time as GitLab writes them; [`other`]: answers of the smaller endpoints.
//! - [`header`]: header names; [`error_body`]: error bodies (wire.md 1.8); [`path`]: URLs (wire.md 1.1, 2).

pub mod artifact;
pub mod error_body;
pub mod failure_reason;
pub mod field;
pub mod go_json;
pub mod header;
pub mod info;
pub mod job_payload;
pub mod job_request;
pub mod job_status;
pub mod job_update;
mod object;
pub mod other;
pub mod path;
pub mod runners;
pub mod secrets;
mod strict;
pub mod time;
pub mod token;
pub mod trace;

pub use failure_reason::FailureReason;
pub use field::Field;
pub use info::{Features, Info};
pub use job_payload::JobPayload;
pub use job_request::JobRequest;
pub use job_status::JobStatus;
pub use job_update::{JobUpdate, UpdateState};
pub use time::WireTime;
