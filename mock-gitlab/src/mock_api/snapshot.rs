//! The whole state of a server as a value, and how a server becomes one.
//!
//! A snapshot is first checked and put in place beside what there is: files of artifacts, which are named by
//! their hashes, and repositories in a folder of their own. Only then, under the world's lock, does the
//! server change, by steps that move no bytes; what belonged to the world of before is removed at last.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use utoipa::ToSchema;

use super::MockApi;
use super::ask::Refusal;
use crate::fault::{FaultRules, FaultsSnapshot};
use crate::git::{GitRoot, KeptError, KeptRepository, lfs};
use crate::http::ArtifactStore;
use crate::world::{Artifact, JobId, World, WorldSnapshot};

/// Everything that the server knows. It holds every token. Bytes are in base 64, so a snapshot is about 4/3
/// of the logs, artifacts, LFS objects and packed repositories in it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerSnapshot {
    /// When it was taken, by the server's clock. Times in it are absolute.
    #[schema(value_type = String, format = DateTime)]
    taken_at: Timestamp,
    /// How far the clock was ahead of the machine's, ms.
    ahead_ms: i64,
    /// The world with its logs and past events; its form may change with the version of the server.
    #[schema(value_type = Object)]
    world: WorldSnapshot,
    /// What goes wrong.
    faults: FaultsSnapshot,
    /// The bytes of artifacts. One that is known without bytes cannot be had, as it was.
    files: Vec<ArtifactFile>,
    /// The repositories of projects.
    repositories: Vec<KeptRepository>,
}

/// The bytes of an artifact.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArtifactFile {
    /// Job.
    #[schema(value_type = i64)]
    job: JobId,
    /// Type, such as `archive`.
    file_type: String,
    /// Base 64.
    content: String,
}

impl ServerSnapshot {
    /// The state of now. What is read after the world (artifacts, repositories) is of the same or a later
    /// moment.
    pub(super) fn take(api: &MockApi) -> Result<ServerSnapshot, Refusal> {
        let (mut snapshot, known, projects) = api.look(|world, now| {
            let projects = world.projects().map(|project| project.full_path.clone());
            let snapshot = ServerSnapshot {
                taken_at: now,
                ahead_ms: api.clock.ahead_ms(),
                world: world.snapshot(),
                faults: api.faults.snapshot(),
                files: Vec::new(),
                repositories: Vec::new(),
            };
            (snapshot, artifacts(world), projects.collect::<Vec<_>>())
        });
        for (job, artifact) in known {
            if let Ok(bytes) = api.artifacts.bytes(job, &artifact) {
                snapshot.files.push(ArtifactFile {
                    job,
                    file_type: artifact.file_type.to_string(),
                    content: STANDARD.encode(bytes),
                });
            }
        }
        for project in projects {
            let place = api.git.repository(&project);
            let kept = KeptRepository::take(&project, &place)
                .map_err(|error| Refusal::internal(format!("repository {project}: {error}")))?;
            snapshot.repositories.extend(kept);
        }
        Ok(snapshot)
    }
}

/// The artifacts of a world.
fn artifacts(world: &World) -> Vec<(JobId, Artifact)> {
    let jobs = world.jobs().map(|job| job.id);
    let of_job = |job| world.artifacts(job).map(move |it| (job, it.clone()));
    jobs.flat_map(of_job).collect()
}

/// A snapshot that was checked, with its bytes in place. Dropped, it leaves nothing.
pub(super) struct Staged {
    world: World,
    faults: FaultRules,
    ahead_ms: i64,
    /// Repositories, as they will stand below the root.
    repositories: TempDir,
    /// Artifacts whose bytes are there.
    files: BTreeSet<(JobId, String)>,
    written: Written,
}

/// Artifacts whose bytes were not there before. Dropped, it removes them again.
struct Written {
    store: ArtifactStore,
    artifacts: Vec<(JobId, Artifact)>,
}

impl Drop for Written {
    fn drop(&mut self) {
        for (job, artifact) in &self.artifacts {
            self.store.remove(*job, artifact);
        }
    }
}

impl Staged {
    pub(super) fn new(api: &MockApi, snapshot: ServerSnapshot) -> Result<Staged, Refusal> {
        let broken = |what: &str, error: &dyn std::fmt::Display| {
            Refusal::bad_request(format!("{what}: {error}"))
        };
        let world = World::of_snapshot(snapshot.world).map_err(|error| broken("world", &error))?;
        // Without him nobody could ever call this again.
        let admin = world.user(api.admin);
        if !admin.is_some_and(|user| user.admin && !user.blocked) {
            return Err(Refusal::bad_request(format!(
                "world: user {} has to be an administrator who is not blocked: the server's own token is his",
                api.admin
            )));
        }
        let faults =
            FaultRules::of_snapshot(snapshot.faults).map_err(|error| broken("faults", &error))?;
        if !crate::clock::can_be_ahead(snapshot.ahead_ms) {
            return Err(broken("ahead_ms", &"has to be from 0 to a hundred years"));
        }
        let parent = api.git.0.parent().unwrap_or(Path::new("."));
        let mut staged = Staged {
            world,
            faults,
            ahead_ms: snapshot.ahead_ms,
            repositories: tempfile::Builder::new()
                .prefix("incoming-")
                .tempdir_in(parent)
                .map_err(Refusal::internal)?,
            files: BTreeSet::new(),
            written: Written {
                store: api.artifacts.clone(),
                artifacts: Vec::new(),
            },
        };
        for repository in &snapshot.repositories {
            staged.repository(repository)?;
        }
        for file in snapshot.files {
            staged.file(file)?;
        }
        Ok(staged)
    }

    fn repository(&mut self, repository: &KeptRepository) -> Result<(), Refusal> {
        let project = &repository.project;
        let what = format!("repositories: {project}");
        if self.world.project_by_path(project).is_none() {
            let text = format!("{what}: the world does not know the project");
            return Err(Refusal::bad_request(text));
        }
        let place = GitRoot(self.repositories.path().to_owned()).repository(project);
        if place.exists() {
            return Err(Refusal::bad_request(format!("{what}: is there twice")));
        }
        repository.put(&place).map_err(|error| match error {
            KeptError::Broken(_)
            | KeptError::Git(crate::git::repository::RepositoryError::Git { .. }) => {
                // The folder's name means nothing to the caller.
                let text = error.to_string();
                let folder = place.display().to_string();
                Refusal::bad_request(format!("{what}: {}", text.replace(&folder, project)))
            }
            _ => Refusal::internal(format!("{what}: {error}")),
        })
    }

    fn file(&mut self, file: ArtifactFile) -> Result<(), Refusal> {
        let (job, file_type) = (file.job, file.file_type);
        let broken = |problem: &str| {
            Refusal::bad_request(format!("files: job {job}: {file_type}: {problem}"))
        };
        let Some(artifact) = self.world.artifact(job, &file_type) else {
            return Err(broken("the world does not know it"));
        };
        let content = STANDARD
            .decode(&file.content)
            .map_err(|error| broken(&error.to_string()))?;
        if lfs::object_id(&content) != *artifact.sha256 || content.len() as u64 != artifact.size {
            return Err(broken("the bytes are not those that the world knows"));
        }
        let written = &mut self.written;
        let new = written
            .store
            .put(job, artifact, &content)
            .map_err(|error| Refusal::internal(format!("files: {error}")))?;
        if new {
            written.artifacts.push((job, artifact.clone()));
        }
        if !self.files.insert((job, file_type.clone())) {
            return Err(broken("is there twice"));
        }
        Ok(())
    }

    /// The server becomes it.
    pub(super) fn become_it(self, api: &MockApi) -> Result<(), Refusal> {
        let Staged {
            world,
            faults,
            ahead_ms,
            repositories,
            files,
            mut written,
        } = self;
        let known = artifacts(&world);
        let kept: BTreeSet<_> = keys(&known).collect();
        let mut old = api.act(|current, _| {
            // The only step that can fail.
            let folder = change_places(&api.git, repositories.path())?;
            let mut artifacts = artifacts(current);
            artifacts.retain(|it| !kept.contains(&key(it)));
            current.restore(world);
            api.keep_admin(current);
            api.faults.replace(faults);
            api.clock.set_ahead_ms(ahead_ms);
            Ok::<_, Refusal>(Old { artifacts, folder })
        })?;
        // From here on they are the world's.
        written.artifacts.clear();
        let without = known.into_iter();
        let without =
            without.filter(|(job, it)| !files.contains(&(*job, it.file_type.to_string())));
        old.artifacts.extend(without);
        old.remove(&api.artifacts);
        Ok(())
    }
}

type Key = (JobId, String, String);

/// What a file of an artifact is named by.
fn key((job, artifact): &(JobId, Artifact)) -> Key {
    (
        *job,
        artifact.file_type.to_string(),
        artifact.sha256.to_string(),
    )
}

fn keys(artifacts: &[(JobId, Artifact)]) -> impl Iterator<Item = Key> {
    artifacts.iter().map(key)
}

/// What belonged to a world that is gone.
pub(super) struct Old {
    artifacts: Vec<(JobId, Artifact)>,
    /// Repositories are removed with it.
    folder: Option<TempDir>,
}

impl Old {
    /// Removes it.
    pub(super) fn remove(self, store: &ArtifactStore) {
        for (job, artifact) in &self.artifacts {
            store.remove(*job, artifact);
        }
        if let Some(Err(error)) = self.folder.map(TempDir::close) {
            tracing::warn!(%error, "repositories of before could not be removed");
        }
    }
}

/// Puts the repositories at `incoming` in place of those below the root; gives the folder where those of
/// before stand now. On an error nothing has changed.
fn change_places(root: &GitRoot, incoming: &Path) -> Result<Option<TempDir>, Refusal> {
    let failed = |error: io::Error| Refusal::internal(format!("repositories: {error}"));
    let parent = root.0.parent().unwrap_or(Path::new("."));
    let old = if root.0.exists() {
        let folder = tempfile::Builder::new().prefix("old-").tempdir_in(parent);
        let folder = folder.map_err(failed)?;
        std::fs::rename(&root.0, folder.path().join("git")).map_err(failed)?;
        Some(folder)
    } else {
        None
    };
    if let Err(error) = std::fs::rename(incoming, &root.0) {
        if let Some(folder) = &old {
            // Back to where it was a moment ago.
            let _ = std::fs::rename(folder.path().join("git"), &root.0);
        }
        return Err(failed(error));
    }
    Ok(old)
}

/// What `current` has and `next` does not: artifacts, and repositories of projects, which are moved away.
pub(super) fn leave_behind(api: &MockApi, current: &World, next: &World) -> Old {
    let kept: BTreeSet<_> = keys(&artifacts(next)).collect();
    let mut artifacts = artifacts(current);
    artifacts.retain(|it| !kept.contains(&key(it)));
    let parent = api.git.0.parent().unwrap_or(Path::new("."));
    let folder = tempfile::Builder::new().prefix("old-").tempdir_in(parent);
    for project in current.projects() {
        if next.project_by_path(&project.full_path).is_none()
            && let Ok(folder) = &folder
        {
            // Without a repository there is nothing to move.
            let place = api.git.repository(&project.full_path);
            let _ = std::fs::rename(place, folder.path().join(project.id.to_string()));
        }
    }
    Old {
        artifacts,
        folder: folder.ok(),
    }
}

impl MockApi {
    /// The caller goes on being who he is.
    pub(super) fn keep_admin(&self, world: &mut World) {
        let _ = world.add_personal_access_token(self.admin, Some(&self.admin_token));
    }
}
