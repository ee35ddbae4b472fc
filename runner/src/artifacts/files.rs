//! Which files an upload takes, and what is said about it (RUN-ART-03, RUN-ART-09).

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::expand::expand;
use super::glob::Pattern;
use crate::job::clean_path;

/// What to upload.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Paths and globs, relative to the project directory or within it.
    pub paths: Vec<String>,
    /// Globs of what to leave out.
    pub exclude: Vec<String>,
    /// Also files that git does not know.
    pub untracked: bool,
}

/// Files, directories and links to upload, by their paths relative to the project directory.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The project directory.
    pub(super) root: PathBuf,
    /// Sorted by path, as archives are.
    pub(super) entries: BTreeMap<String, Metadata>,
    /// What no file may match.
    pub(super) excluded: Vec<Pattern>,
}

/// Finds what `selection` asks for in `root`, and logs what was found.
pub(super) fn collect(
    selection: &Selection,
    root: PathBuf,
    environment: &BTreeMap<String, String>,
) -> Files {
    let mut search = Search {
        files: Files {
            root,
            entries: BTreeMap::new(),
            excluded: Vec::new(),
        },
        environment,
        excludes: Vec::new(),
    };
    for pattern in &selection.exclude {
        let pattern = search.expanded(pattern);
        let matches = match search.within(&pattern).as_deref().map(Pattern::new) {
            Some(Ok(inside)) => Matches::Inside(inside),
            Some(Err(_)) => Matches::Malformed,
            None => Matches::Outside,
        };
        search.excludes.push(Exclude {
            matches,
            pattern,
            count: 0,
        });
    }
    for path in &selection.paths {
        search.path(path);
    }
    if selection.untracked {
        search.untracked();
    }
    for exclude in search.excludes.iter().filter(|exclude| exclude.count > 0) {
        tracing::info!("{}: excluded {} files", exclude.pattern, exclude.count);
    }
    let patterns = search.excludes.into_iter();
    search.files.excluded = patterns
        .filter_map(|exclude| match exclude.matches {
            Matches::Inside(pattern) => Some(pattern),
            Matches::Outside | Matches::Malformed => None,
        })
        .collect();
    search.files
}

/// A glob of what to leave out.
struct Exclude {
    pattern: String,
    matches: Matches,
    /// Files that it left out.
    count: u64,
}

/// What a glob can match.
enum Matches {
    /// Paths of the project.
    Inside(Pattern),
    /// Nothing: it lies outside of the project.
    Outside,
    /// Nothing: it is malformed.
    Malformed,
}

struct Search<'a> {
    files: Files,
    environment: &'a BTreeMap<String, String>,
    excludes: Vec<Exclude>,
}

impl Search<'_> {
    /// `text` with its variables. What cannot be expanded stays as it is.
    fn expanded(&self, text: &str) -> String {
        let lookup = |name: &str| self.environment.get(name).cloned();
        expand(text, &lookup).unwrap_or_else(|error| {
            // The official runner names no path here.
            tracing::warn!("invalid path \"\": {error}");
            text.to_owned()
        })
    }

    /// A path or pattern relative to the project directory, cleaned; `None` if it lies outside.
    fn within(&self, path: &str) -> Option<String> {
        let root = self.files.root.to_string_lossy();
        let absolute = if path.starts_with('/') {
            clean_path(path)
        } else {
            clean_path(&format!("{root}/{path}"))
        };
        let root = clean_path(&root);
        let rest = absolute.strip_prefix(root.as_str())?;
        match rest.strip_prefix('/') {
            None if rest.is_empty() => Some(".".to_owned()),
            None if root == "/" => Some(rest.to_owned()),
            inside => inside.map(str::to_owned),
        }
    }

    /// Takes what a path or glob matches, each with all that is below it.
    fn path(&mut self, path: &str) {
        let path = self.expanded(path);
        if path.is_empty() {
            tracing::warn!("No matching files. Path is empty.");
            return;
        }
        let Some(pattern) = self.within(&path) else {
            tracing::warn!(
                "processPath: artifact path is not a subpath of project directory: {path}"
            );
            return;
        };
        let matches = match self.matches(&pattern) {
            Ok(matches) => matches,
            Err(error) => {
                tracing::warn!("{path}: {error}");
                return;
            }
        };
        let mut found = 0_u64;
        for found_path in matches {
            self.walk(&found_path, &mut found);
        }
        if found == 0 {
            tracing::warn!(
                "{path}: no matching files. Ensure that the artifact path is relative to the working directory ({})",
                self.files.root.display()
            );
        } else {
            tracing::info!("{path}: found {found} matching artifact files and directories");
        }
    }

    /// What a cleaned pattern matches. Symlinks are followed in its literal part only.
    fn matches(&self, pattern: &str) -> Result<Vec<String>, super::glob::SyntaxError> {
        let parsed = Pattern::new(pattern)?;
        let root = &self.files.root;
        let Some(first) = pattern.find(['*', '?', '[', '{', '\\']) else {
            let there = std::fs::metadata(root.join(pattern)).is_ok();
            return Ok(if there {
                vec![pattern.to_owned()]
            } else {
                Vec::new()
            });
        };
        let base = pattern[..first]
            .rfind('/')
            .map_or("", |end| &pattern[..end]);
        let mut found = Vec::new();
        if base.is_empty() {
            if pattern == "**" {
                found.push(".".to_owned());
            }
        } else if parsed.matches(base) && root.join(base).is_dir() {
            found.push(base.to_owned());
        }
        let base_depth = base.split('/').filter(|part| !part.is_empty()).count();
        let depth = parsed.depth().map(|depth| depth.saturating_sub(base_depth));
        below(root, base, depth, &mut |path| {
            if parsed.matches(path) {
                found.push(path.to_owned());
            }
        });
        Ok(found)
    }

    /// Takes `path` and, if it is a directory, everything below it.
    fn walk(&mut self, path: &str, found: &mut u64) {
        let Ok(metadata) = std::fs::symlink_metadata(self.files.root.join(path)) else {
            return;
        };
        let is_directory = metadata.is_dir();
        if self.take(path, metadata) {
            *found += 1;
        }
        if is_directory {
            for name in names(&self.files.root.join(path)) {
                self.walk(&join(path, &name), found);
            }
        }
    }

    /// Takes one entry, unless it is left out.
    fn take(&mut self, path: &str, metadata: Metadata) -> bool {
        for exclude in &mut self.excludes {
            match &exclude.matches {
                // Those behind this one do not count any more (seen in the official runner).
                Matches::Outside => {
                    tracing::warn!(
                        "isExcluded: artifact path is not a subpath of project directory: {}",
                        exclude.pattern
                    );
                    break;
                }
                Matches::Inside(pattern) if pattern.matches(path) => {
                    exclude.count += 1;
                    return false;
                }
                Matches::Inside(_) | Matches::Malformed => {}
            }
        }
        self.files.entries.insert(path.to_owned(), metadata);
        true
    }

    /// Takes the files that git does not know, ignored ones too.
    fn untracked(&mut self) {
        let listed = Command::new("git")
            .args(["ls-files", "-o", "-z"])
            .current_dir(&self.files.root)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output();
        let listed = match listed {
            Ok(listed) if listed.status.success() => listed.stdout,
            Ok(listed) => {
                let status = listed.status.code().map_or_else(
                    || listed.status.to_string(),
                    |code| format!("exit status {code}"),
                );
                tracing::warn!("untracked: {status}");
                return;
            }
            Err(error) => {
                tracing::warn!("untracked: git cannot be run: {error}");
                return;
            }
        };
        let mut found = 0_u64;
        for path in listed
            .split(|byte| *byte == 0)
            .filter(|path| !path.is_empty())
        {
            let Some(path) = text(path) else { continue };
            let path = clean_path(path);
            if let Ok(metadata) = std::fs::symlink_metadata(self.files.root.join(&path))
                && self.take(&path, metadata)
            {
                found += 1;
            }
        }
        if found == 0 {
            tracing::warn!("untracked: no files");
        } else {
            tracing::info!("untracked: found {found} files");
        }
    }
}

/// Calls `visit` for everything below `base`, at most `depth` directories deep. Links are not followed.
fn below(root: &Path, base: &str, depth: Option<usize>, visit: &mut dyn FnMut(&str)) {
    if depth == Some(0) {
        return;
    }
    for name in names(&root.join(base)) {
        let path = join(base, &name);
        visit(&path);
        let metadata = std::fs::symlink_metadata(root.join(&path));
        if metadata.is_ok_and(|metadata| metadata.is_dir()) {
            below(root, &path, depth.map(|depth| depth - 1), visit);
        }
    }
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" | "." => name.to_owned(),
        path => format!("{path}/{name}"),
    }
}

/// Sorted names in a directory; none if it cannot be read.
fn names(directory: &Path) -> Vec<String> {
    use std::os::unix::ffi::OsStrExt as _;

    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| text(entry.file_name().as_bytes()).map(str::to_owned))
        .collect();
    names.sort_unstable();
    names
}

/// A name in an archive is text. One that is not is left out, with a word.
fn text(name: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(name);
    text.inspect_err(|_| {
        tracing::warn!(
            "{}: the name is not UTF-8, so the file is left out; rename it to have it in the archive",
            String::from_utf8_lossy(name)
        );
    })
    .ok()
}
