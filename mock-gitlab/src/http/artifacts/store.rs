//! Where the bytes of artifacts are kept. What is known of them is in the world.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

use crate::world::{Artifact, JobId};

/// Keeps files by job, type and hash. A clone is the same store.
#[derive(Clone, Debug)]
pub struct ArtifactStore(Arc<Place>);

#[derive(Debug)]
enum Place {
    Memory(Mutex<BTreeMap<Key, Bytes>>),
    Folder(PathBuf),
}

/// Where uploads wait that a real server would give to workhorse; shown, never written to.
const TEMPORARY: &str = "/var/opt/gitlab/gitlab-rails/shared/artifacts/tmp/uploads";

/// Which file. Type and hash are the server's own words, never a client's, so no path leaves the folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    job: JobId,
    file_type: String,
    sha256: String,
}

impl Key {
    pub(super) fn new(job: JobId, file_type: &str, sha256: &str) -> Key {
        Key {
            job,
            file_type: file_type.to_owned(),
            sha256: sha256.to_owned(),
        }
    }

    pub(super) fn of(job: JobId, artifact: &Artifact) -> Key {
        Key::new(job, &artifact.file_type, &artifact.sha256)
    }
}

impl ArtifactStore {
    /// In memory: for virtual time, where there are no files, and for small tests.
    pub fn memory() -> ArtifactStore {
        ArtifactStore(Arc::new(Place::Memory(Mutex::default())))
    }

    /// In files below `root`, which is made when the first one comes.
    pub fn folder(root: PathBuf) -> ArtifactStore {
        ArtifactStore(Arc::new(Place::Folder(root)))
    }

    /// The bytes of an artifact, read at once; for a test that looks at what was uploaded.
    pub fn bytes(&self, job: JobId, artifact: &Artifact) -> io::Result<Vec<u8>> {
        let key = Key::of(job, artifact);
        match &*self.0 {
            Place::Memory(files) => {
                let files = files.lock().unwrap_or_else(PoisonError::into_inner);
                let bytes = files.get(&key).ok_or(io::ErrorKind::NotFound)?;
                Ok(bytes.to_vec())
            }
            Place::Folder(root) => std::fs::read(place_of(root, &key)),
        }
    }

    /// Keeps the bytes of an artifact that nobody uploaded, in one step. False if they were there: one hash
    /// stands for the same bytes.
    pub fn put(&self, job: JobId, artifact: &Artifact, content: &[u8]) -> io::Result<bool> {
        let key = Key::of(job, artifact);
        match &*self.0 {
            Place::Memory(files) => {
                let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
                let new = !files.contains_key(&key);
                files.insert(key, Bytes::copy_from_slice(content));
                Ok(new)
            }
            Place::Folder(root) => {
                let place = place_of(root, &key);
                if place.exists() {
                    return Ok(false);
                }
                let uploads = root.join("tmp/uploads");
                std::fs::create_dir_all(&uploads)?;
                let mut file = tempfile::NamedTempFile::new_in(uploads)?;
                io::Write::write_all(&mut file, content)?;
                if let Some(folder) = place.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                file.persist(place).map_err(|error| error.error)?;
                Ok(true)
            }
        }
    }

    /// Forgets the bytes of an artifact, if they are there.
    pub fn remove(&self, job: JobId, artifact: &Artifact) {
        let key = Key::of(job, artifact);
        match &*self.0 {
            Place::Memory(files) => {
                files
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&key);
            }
            // What cannot be removed is never found again: no artifact is known any more.
            Place::Folder(root) => drop(std::fs::remove_file(place_of(root, &key))),
        }
    }

    /// Folder of uploads under way, as `authorize` names it.
    pub(super) fn temporary(&self) -> String {
        match &*self.0 {
            Place::Memory(_) => TEMPORARY.to_owned(),
            Place::Folder(root) => root.join("tmp/uploads").display().to_string(),
        }
    }

    /// Begins to receive a file.
    pub(super) async fn receive(&self) -> io::Result<Incoming> {
        match &*self.0 {
            Place::Memory(_) => Ok(Incoming::Memory(BytesMut::new())),
            Place::Folder(root) => {
                let folder = root.join("tmp/uploads");
                tokio::fs::create_dir_all(&folder).await?;
                let (file, path) = tempfile::NamedTempFile::new_in(folder)?.into_parts();
                Ok(Incoming::File {
                    file: File::from_std(file),
                    path,
                })
            }
        }
    }

    /// Keeps what was received.
    pub(super) async fn keep(&self, incoming: Incoming, key: &Key) -> io::Result<()> {
        match (&*self.0, incoming) {
            (Place::Memory(files), Incoming::Memory(bytes)) => {
                let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
                files.insert(key.clone(), bytes.freeze());
                Ok(())
            }
            (Place::Folder(root), Incoming::File { mut file, path }) => {
                file.flush().await?;
                let target = place_of(root, key);
                if let Some(parent) = target.parent() {
                    tokio::fs::create_dir_all(parent).await?;
                }
                path.persist(target).map_err(|error| error.error)
            }
            _ => Err(io::Error::other("received for another store")),
        }
    }

    /// Forgets a file that was kept but must not be.
    pub(super) async fn forget(&self, key: &Key) {
        match &*self.0 {
            Place::Memory(files) => {
                files
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(key);
            }
            Place::Folder(root) => {
                // It may never have been there.
                let _ = tokio::fs::remove_file(place_of(root, key)).await;
            }
        }
    }

    /// Bytes of a file, or of a part of it, as they are read. `NotFound` if it is not kept.
    pub(super) async fn read(&self, key: &Key, part: Option<Range<u64>>) -> io::Result<Body> {
        match &*self.0 {
            Place::Memory(files) => {
                let files = files.lock().unwrap_or_else(PoisonError::into_inner);
                let bytes = files.get(key).ok_or(io::ErrorKind::NotFound)?;
                Ok(Body::from(match part {
                    None => bytes.clone(),
                    Some(part) => {
                        let end = (part.end as usize).min(bytes.len());
                        bytes.slice((part.start as usize).min(end)..end)
                    }
                }))
            }
            Place::Folder(root) => {
                let mut file = File::open(place_of(root, key)).await?;
                let limit = match part {
                    None => u64::MAX,
                    Some(part) => {
                        file.seek(io::SeekFrom::Start(part.start)).await?;
                        part.end - part.start
                    }
                };
                Ok(Body::from_stream(ReaderStream::new(file.take(limit))))
            }
        }
    }
}

fn place_of(root: &Path, key: &Key) -> PathBuf {
    root.join(key.job.to_string())
        .join(&key.file_type)
        .join(&key.sha256)
}

/// A file that is being received. Dropped, it leaves nothing.
pub(super) enum Incoming {
    Memory(BytesMut),
    File { file: File, path: TempPath },
}

impl Incoming {
    pub(super) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Incoming::Memory(bytes) => {
                bytes.extend_from_slice(chunk);
                Ok(())
            }
            Incoming::File { file, .. } => file.write_all(chunk).await,
        }
    }

    /// All that was written, at most `limit` bytes; for reports that the server reads.
    pub(super) async fn content(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        match self {
            Incoming::Memory(bytes) => Ok(bytes[..bytes.len().min(limit as usize)].to_vec()),
            Incoming::File { file, .. } => {
                file.flush().await?;
                file.seek(io::SeekFrom::Start(0)).await?;
                let mut content = Vec::new();
                (&mut *file).take(limit).read_to_end(&mut content).await?;
                Ok(content)
            }
        }
    }
}
