//! Artifacts over HTTP (wire.md 6). The world knows what there is and who may have it; the bytes pass
//! by here into an [`ArtifactStore`].
//!
//! - `upload`: multipart uploads as they stream, and workhorse's question before them.
//! - `download`: the archive of a job, directly or by way of object storage.
//! - `dotenv`: the one report that the server reads. `workhorse`: its signature.

mod dotenv;
mod download;
mod store;
mod upload;
mod workhorse;

pub use store::ArtifactStore;

pub(super) use download::{download, send, storage};
pub(super) use upload::{authorize, upload};

use crate::world::{JobId, World};

/// Path of the object storage that the server plays itself.
pub(crate) const STORAGE: &str = "/object-storage/artifacts";

/// Address of a file in object storage.
fn storage_url(world: &World, id: JobId, file_type: &str, sha256: &str) -> String {
    let url = &world.settings().external_url;
    format!("{url}{STORAGE}/{id}/{file_type}/{sha256}")
}
