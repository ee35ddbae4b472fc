//! Artifacts: what is known of uploaded files (wire.md 6). The bytes are kept by whoever received them.
//!
//! - `types`: types, formats and names of files.
//! - `expire`: `expire_in`.
//! - `store`: upload, download, dependencies.

mod expire;
mod store;
mod types;

pub use store::{Artifact, NewArtifact, Upload};
pub use types::format_of;
pub(super) use types::report_name;
