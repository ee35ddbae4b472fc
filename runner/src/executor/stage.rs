use std::fmt;

/// A stage of a job (runner.md 5.1). Each is a fresh shell process with a newly made script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Says where the job runs and forgets what an earlier job left in `GITLAB_ENV`.
    PrepareScript,
    /// Gets the sources from git.
    GetSources,
    /// Empties the work tree before the second attempt to get sources.
    ClearWorktree,
    /// Extracts caches.
    RestoreCache,
    /// Downloads the artifacts of earlier jobs.
    DownloadArtifacts,
    /// A step of the job, by its name: `script`, `release`, …
    Step(String),
    /// The job's after_script.
    AfterScript,
    /// Archives caches of a job that went well.
    ArchiveCache,
    /// Archives caches of a job that failed.
    ArchiveCacheOnFailure,
    /// Uploads artifacts of a job that went well.
    UploadArtifactsOnSuccess,
    /// Uploads artifacts of a job that failed.
    UploadArtifactsOnFailure,
    /// Deletes file variables, lock files and, if asked for, the project directory.
    CleanupFileVariables,
}

impl Stage {
    /// Name, which is also the name of its section in the log.
    pub fn name(&self) -> String {
        match self {
            Stage::PrepareScript => "prepare_script".to_owned(),
            Stage::GetSources => "get_sources".to_owned(),
            Stage::ClearWorktree => "clear_worktree".to_owned(),
            Stage::RestoreCache => "restore_cache".to_owned(),
            Stage::DownloadArtifacts => "download_artifacts".to_owned(),
            Stage::Step(name) => format!("step_{name}"),
            Stage::AfterScript => "after_script".to_owned(),
            Stage::ArchiveCache => "archive_cache".to_owned(),
            Stage::ArchiveCacheOnFailure => "archive_cache_on_failure".to_owned(),
            Stage::UploadArtifactsOnSuccess => "upload_artifacts_on_success".to_owned(),
            Stage::UploadArtifactsOnFailure => "upload_artifacts_on_failure".to_owned(),
            Stage::CleanupFileVariables => "cleanup_file_variables".to_owned(),
        }
    }

    /// Title line in the log.
    pub fn title(&self) -> String {
        match self {
            Stage::PrepareScript => "Preparing environment".to_owned(),
            Stage::GetSources => "Getting source from Git repository".to_owned(),
            Stage::ClearWorktree => {
                "Deleting all tracked and untracked files due to source fetch failure".to_owned()
            }
            Stage::RestoreCache => "Restoring cache".to_owned(),
            Stage::DownloadArtifacts => "Downloading artifacts".to_owned(),
            Stage::Step(_) => format!("Executing \"{}\" stage of the job script", self.name()),
            Stage::AfterScript => "Running after_script".to_owned(),
            Stage::ArchiveCache => "Saving cache for successful job".to_owned(),
            Stage::ArchiveCacheOnFailure => "Saving cache for failed job".to_owned(),
            Stage::UploadArtifactsOnSuccess => "Uploading artifacts for successful job".to_owned(),
            Stage::UploadArtifactsOnFailure => "Uploading artifacts for failed job".to_owned(),
            Stage::CleanupFileVariables => {
                "Cleaning up project directory and file based variables".to_owned()
            }
        }
    }

    /// Whether the stage runs in the helper environment; steps and after_script run in the build
    /// environment (RUN-JOB-03).
    pub fn is_predefined(&self) -> bool {
        !matches!(self, Stage::Step(_) | Stage::AfterScript)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
