//! Artifacts of a job: files are collected, packed and sent, or fetched and unpacked (runner.md 12).
//!
//! Generated scripts call two hidden commands of the program, in the project directory of the job:
//!
//! - [`upload`]: `artifacts-uploader`. `files` finds what [`Selection`] asks for, with `glob` and
//!   `expand`; `archive` packs it while it is sent; `sender` judges the answers; `statement`
//!   says where the files come from, if that is wished.
//! - [`download`]: `artifacts-downloader`. `fetch` gets the archive, in `ranges` if that is wished;
//!   `extract` unpacks it, and never outside of the project directory.
//! - `meter`: how far a transfer is.
//!
//! What they say goes to stderr in the process log's format, and so into the log of the job.

mod archive;
mod download;
mod expand;
mod extract;
mod fetch;
mod files;
mod format;
mod glob;
mod meter;
mod ranges;
mod sender;
mod statement;
mod upload;

pub use download::{DownloadOptions, download};
pub use files::Selection;
pub use statement::StatementOptions;
pub use upload::{UploadOptions, upload};

use std::path::PathBuf;
use std::time::Duration;

use crate::client::TlsFiles;

/// Which job at which server.
#[derive(Clone, Debug, Default)]
pub struct JobAddress {
    /// URL of GitLab.
    pub url: String,
    /// Token of the job.
    pub token: String,
    /// Its id.
    pub id: i64,
    /// TLS files.
    pub tls: TlsFiles,
}

impl JobAddress {
    /// What is missing, in the words of the official runner.
    fn check(&self) -> Result<(), String> {
        if self.url.is_empty() || self.token.is_empty() {
            return Err("Missing runner credentials".to_owned());
        }
        if self.id <= 0 {
            return Err("Missing build ID".to_owned());
        }
        Ok(())
    }
}

/// Settings of uploads and downloads alike.
#[derive(Clone, Debug, Default)]
pub struct TransferOptions {
    /// How often to say how far it is; zero: never.
    pub meter: Duration,
    /// Where archives stand while they are made or read; `None`: the system's temporary folder.
    pub staging: Option<PathBuf>,
}

/// The working directory as the shell names it: `PWD` if it is the same directory, for messages and for
/// absolute paths of a job that go through a symlink.
fn working_directory() -> Result<PathBuf, String> {
    use std::os::unix::fs::MetadataExt as _;

    let real = std::env::current_dir()
        .map_err(|error| format!("the working directory cannot be found: {error}"))?;
    let named = std::env::var_os("PWD").map(PathBuf::from);
    let same = named.filter(|path| {
        let (Ok(a), Ok(b)) = (std::fs::metadata(path), std::fs::metadata(&real)) else {
            return false;
        };
        path.is_absolute() && a.dev() == b.dev() && a.ino() == b.ino()
    });
    Ok(same.unwrap_or(real))
}
