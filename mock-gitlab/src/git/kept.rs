//! A repository as a value: what its references reach, and its LFS objects.
//!
//! Written anew by git's own plumbing, never copied file by file: hooks and configuration, which could run
//! programs, have no place in it. Equal contents give equal bytes, however the repository was packed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lfs;
use super::repository::{RepositoryError, git, git_bytes};

/// A bare repository, but what no reference reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeptRepository {
    /// Full path of its project.
    pub project: String,
    /// `sha1` or `sha256`.
    object_format: String,
    /// Full name of the branch that `HEAD` names, or the id of a commit.
    head: String,
    /// Ids by full name of the reference, such as `refs/heads/main`.
    refs: BTreeMap<String, String>,
    /// All objects that they reach: a pack file of git (gitformat-pack), base 64; empty without references.
    pack: String,
    /// Contents of LFS objects, base 64, by id.
    lfs_objects: BTreeMap<String, String>,
}

/// Why a value cannot be a repository.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It says what cannot be.
    #[error("{0}")]
    Broken(String),
    /// Git refused it, or is not there.
    #[error(transparent)]
    Git(#[from] RepositoryError),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl KeptRepository {
    /// The repository at `path`; `None` where there is none.
    pub fn take(project: &str, path: &Path) -> Result<Option<KeptRepository>, KeptError> {
        if !path.join("HEAD").exists() {
            return Ok(None);
        }
        let location = path.display().to_string();
        let ask = |args: &[&str]| git(&[&["--git-dir", &location], args].concat(), &[]);
        let object_format = ask(&["rev-parse", "--show-object-format"])?;
        let head = match ask(&["symbolic-ref", "--quiet", "HEAD"]) {
            Ok(name) => name,
            Err(_) => ask(&["rev-parse", "HEAD"])?,
        };
        let list = ask(&["for-each-ref", "--format=%(objectname) %(refname)"])?;
        let refs = list.lines().filter_map(|line| line.split_once(' '));
        let refs: BTreeMap<String, String> = refs
            .map(|(id, name)| (name.to_owned(), id.to_owned()))
            .collect();
        let head = head.trim().to_owned();
        let pack = if refs.is_empty() && head.starts_with("refs/") {
            Vec::new()
        } else {
            // One thread, and nothing that was packed before is used, so that the bytes follow from the
            // contents alone.
            let pack = "pack-objects --all --stdout --quiet --threads=1 --delta-base-offset \
                        --no-reuse-delta --no-reuse-object --no-use-bitmap-index";
            let pack: Vec<&str> = pack.split_whitespace().collect();
            git_bytes(&[&["--git-dir", &location], &*pack].concat(), &[])?
        };
        let mut lfs_objects = BTreeMap::new();
        for id in lfs::stored(path) {
            let place = lfs::place(path, &id);
            let bytes = std::fs::read(&place).map_err(|source| KeptError::Io {
                path: place.clone(),
                source,
            })?;
            lfs_objects.insert(id, STANDARD.encode(bytes));
        }
        Ok(Some(KeptRepository {
            project: project.to_owned(),
            object_format: object_format.trim().to_owned(),
            head,
            refs,
            pack: STANDARD.encode(pack),
            lfs_objects,
        }))
    }

    /// Makes the repository at `path`, where nothing is yet. Every object is checked.
    pub fn put(&self, path: &Path) -> Result<(), KeptError> {
        self.check()?;
        let location = path.display().to_string();
        let format = format!("--object-format={}", self.object_format);
        git(
            &[
                "init",
                "--quiet",
                "--bare",
                "--template=",
                &format,
                &location,
            ],
            &[],
        )?;
        let ask =
            |args: &[&str], input: &[u8]| git(&[&["--git-dir", &location], args].concat(), input);
        if !self.pack.is_empty() {
            let pack = decoded("pack", &self.pack)?;
            ask(&["index-pack", "--stdin"], &pack)?;
        }
        let mut updates = String::new();
        for (name, id) in &self.refs {
            let _ = writeln!(updates, "create {name} {id}");
        }
        ask(&["update-ref", "--stdin"], updates.as_bytes())?;
        if self.head.starts_with("refs/") {
            ask(&["symbolic-ref", "HEAD", &self.head], &[])?;
        } else {
            ask(&["update-ref", "--no-deref", "HEAD", &self.head], &[])?;
        }
        // Fails where an object is missing that a reference reaches.
        ask(&["rev-list", "--objects", "--quiet", "--all"], &[])?;
        for (id, content) in &self.lfs_objects {
            let bytes = decoded(id, content)?;
            if lfs::object_id(&bytes) != *id {
                return broken(&format!("lfs_objects: {id} has other bytes"));
            }
            lfs::store(path, &bytes).map_err(|source| KeptError::Io {
                path: lfs::place(path, id),
                source,
            })?;
        }
        Ok(())
    }

    /// Nothing of it can be taken by git for an option or a second command.
    fn check(&self) -> Result<(), KeptError> {
        let length = match self.object_format.as_str() {
            "sha1" => 40,
            "sha256" => 64,
            other => return broken(&format!("object_format `{other}` is not known")),
        };
        let is_id =
            |id: &str| id.len() == length && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_name = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_graphic() || byte >= 0x80;
            name.starts_with("refs/") && name.bytes().all(plain) && !name.contains(['"', '\\'])
        };
        for (name, id) in &self.refs {
            if !is_name(name) || !is_id(id) {
                return broken(&format!("refs: `{name}` with `{id}` cannot be"));
            }
        }
        if !is_name(&self.head) && !is_id(&self.head) {
            return broken(&format!("head `{}` cannot be", self.head));
        }
        match self.lfs_objects.keys().find(|id| !lfs::is_object_id(id)) {
            Some(id) => broken(&format!("lfs_objects: `{id}` is no id")),
            None => Ok(()),
        }
    }
}

fn broken<T>(text: &str) -> Result<T, KeptError> {
    Err(KeptError::Broken(text.to_owned()))
}

fn decoded(what: &str, text: &str) -> Result<Vec<u8>, KeptError> {
    let bytes = STANDARD.decode(text);
    bytes.map_err(|error| KeptError::Broken(format!("{what}: {error}")))
}
