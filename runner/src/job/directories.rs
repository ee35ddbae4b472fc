//! Where a job works (runner.md 7.1).

use protocol::FailureReason;

use super::settings::GitStrategy;
use crate::executor::ExecutorError;

/// The directories of one job, in the environment where it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directories {
    /// `CI_BUILDS_DIR`.
    pub builds: String,
    /// `CI_PROJECT_DIR`.
    pub project: String,
    /// `RUNNER_TEMP_PROJECT_DIR`: `<project>.tmp`.
    pub temp: String,
    /// Where local caches of the project stand.
    pub cache: String,
}

/// What the directories are made of.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryInput<'a> {
    /// Builds directory of the executor or the configuration.
    pub builds_dir: &'a str,
    /// Cache directory of the executor or the configuration.
    pub cache_dir: &'a str,
    /// Whether jobs of other projects and runners share the builds directory.
    pub shared: bool,
    /// Short form of the runner's token.
    pub short_token: &'a str,
    /// `CI_CONCURRENT_PROJECT_ID`.
    pub project_concurrent_id: u32,
    /// `git_info.repo_url`.
    pub repo_url: &'a str,
    /// Project id, for a URL without a usable path.
    pub project_id: i64,
    /// How sources are got.
    pub strategy: GitStrategy,
    /// `GIT_CLONE_PATH` after expansion; empty: not set.
    pub clone_path: &'a str,
    /// Whether `GIT_CLONE_PATH` may be used.
    pub custom_allowed: bool,
}

impl Directories {
    /// Works out the directories (RUN-GIT-09, RUN-GIT-10, RUN-GIT-15).
    pub fn new(input: &DirectoryInput<'_>) -> Result<Self, ExecutorError> {
        let configuration = |message: String| {
            ExecutorError::classified(FailureReason::RunnerConfigurationError, message)
        };
        if input.builds_dir.is_empty() {
            return Err(configuration("the builds_dir is not configured".to_owned()));
        }
        if input.cache_dir.is_empty() {
            return Err(configuration("the cache_dir is not configured".to_owned()));
        }
        let slug = slug(input.repo_url, input.project_id);
        let builds = clean(input.builds_dir);
        let mut project = if input.shared {
            join(&[
                &builds,
                input.short_token,
                &input.project_concurrent_id.to_string(),
                &slug,
            ])
        } else {
            join(&[&builds, &slug])
        };
        if input.clone_path.is_empty() {
            if input.strategy == GitStrategy::Empty {
                project.push_str("-empty");
            }
        } else {
            project = custom(input, &builds).map_err(configuration)?;
        }
        Ok(Directories {
            temp: format!("{project}.tmp"),
            cache: join(&[&clean(input.cache_dir), &slug]),
            builds,
            project,
        })
    }
}

/// The project directory that the job asks for, if it may.
fn custom(input: &DirectoryInput<'_>, builds: &str) -> Result<String, String> {
    if !input.custom_allowed {
        return Err(
            "setting GIT_CLONE_PATH is not allowed, enable `custom_build_dir` feature".to_owned(),
        );
    }
    let path = clean(input.clone_path);
    if path.starts_with('/') != builds.starts_with('/') {
        return Err(format!(
            "Rel: can't make {} relative to {builds}",
            input.clone_path
        ));
    }
    let inside = path == builds
        || path
            .strip_prefix(builds)
            .is_some_and(|rest| builds.ends_with('/') || rest.starts_with('/'));
    if !inside {
        return Err(format!(
            "the GIT_CLONE_PATH={:?} has to be within {builds:?}",
            input.clone_path
        ));
    }
    Ok(path)
}

/// Path of the repository below its host, without `.git`.
pub(super) fn slug(repo_url: &str, project_id: i64) -> String {
    let path = repo_url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or("", |(_, path)| path);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.strip_suffix(".git").unwrap_or(path);
    let cleaned = clean(&format!("/{path}"));
    match cleaned.trim_start_matches('/') {
        "" => format!("project-{project_id}"),
        slug => slug.to_owned(),
    }
}

/// A path with `.`, `..` and doubled slashes taken out, as Go's `path.Clean` does.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&"..") | None if !rooted => parts.push(".."),
                _ => {
                    parts.pop();
                }
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

fn join(parts: &[&str]) -> String {
    clean(&parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> DirectoryInput<'static> {
        DirectoryInput {
            builds_dir: "/srv/builds",
            cache_dir: "/srv/cache",
            shared: true,
            short_token: "AbCdEfGhI",
            project_concurrent_id: 3,
            repo_url: "http://gitlab-ci-token:x@gitlab.example.com/group/demo.git",
            project_id: 42,
            strategy: GitStrategy::Fetch,
            clone_path: "",
            custom_allowed: false,
        }
    }

    /// Proves RUN-GIT-09.
    #[test]
    fn layouts() {
        let shared = Directories::new(&input()).unwrap();
        assert_eq!(shared.project, "/srv/builds/AbCdEfGhI/3/group/demo");
        assert_eq!(shared.temp, "/srv/builds/AbCdEfGhI/3/group/demo.tmp");
        assert_eq!(shared.cache, "/srv/cache/group/demo");
        let own = DirectoryInput {
            shared: false,
            ..input()
        };
        assert_eq!(
            Directories::new(&own).unwrap().project,
            "/srv/builds/group/demo"
        );
    }

    /// Proves RUN-GIT-10. The texts are in the recordings `git-clone-path` and `git-strategies`.
    #[test]
    fn clone_path() {
        let ask = |clone_path: &'static str, custom_allowed| {
            let input = DirectoryInput {
                clone_path,
                custom_allowed,
                ..input()
            };
            Directories::new(&input)
                .map(|d| d.project)
                .map_err(|e| e.message)
        };
        assert_eq!(
            ask("/srv/builds/x", false).unwrap_err(),
            "setting GIT_CLONE_PATH is not allowed, enable `custom_build_dir` feature"
        );
        assert_eq!(ask("/srv/builds/x", true).unwrap(), "/srv/builds/x");
        assert_eq!(ask("/srv/builds", true).unwrap(), "/srv/builds");
        assert_eq!(
            ask("/srv/outside", true).unwrap_err(),
            "the GIT_CLONE_PATH=\"/srv/outside\" has to be within \"/srv/builds\""
        );
        assert_eq!(
            ask("foo/bar", true).unwrap_err(),
            "Rel: can't make foo/bar relative to /srv/builds"
        );
        assert!(ask("/srv/builds/../x", true).is_err());
        assert!(ask("/srv/buildsx", true).is_err());
    }

    #[test]
    fn slugs() {
        assert_eq!(slug("http://h/group/demo.git", 1), "group/demo");
        assert_eq!(slug("http://h/root/group/demo.git", 1), "root/group/demo");
        assert_eq!(slug("http://h/group/demo.git/", 1), "group/demo.git");
        assert_eq!(slug("http://h/../../etc.git", 1), "etc");
        assert_eq!(slug("http://h", 7), "project-7");
        assert_eq!(slug("", 7), "project-7");
    }
}
