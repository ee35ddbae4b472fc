use protocol::job_payload::GitInfo;

use super::url::{Remote, RemoteUrl};
use crate::job::{Directories, Flag, Flags, Settings};

/// What the git parts of a job's scripts are made from.
#[derive(Clone, Debug)]
pub struct GitContext<'a> {
    /// What to check out.
    pub info: &'a GitInfo,
    /// What the job's variables ask for.
    pub settings: &'a Settings,
    /// Feature flags.
    pub flags: &'a Flags,
    /// Where the job works.
    pub directories: &'a Directories,
    /// `url` of the runner's entry.
    pub runner_url: &'a str,
    /// `clone_url` of the runner's entry, or empty.
    pub clone_url: &'a str,
    /// `CI_PROJECT_PATH`.
    pub project_path: &'a str,
    /// Job token.
    pub token: &'a str,
    /// Id that git requests of this job carry.
    pub correlation_id: &'a str,
    /// Whether many jobs share the environment, as with the shell executor.
    pub shared_environment: bool,
    /// `safe_directory_checkout`, or the executor's default.
    pub safe_directory: bool,
    /// `clean_git_config`, or the executor's default.
    pub clean_config: bool,
    /// `CI_SERVER_TLS_*_FILE` that are set, as git's option name and path.
    pub tls_files: Vec<(&'static str, String)>,
}

impl GitContext<'_> {
    /// Where the sources come from.
    pub fn remote(&self) -> Remote {
        Remote::new(
            self.info.repo_url.as_str(),
            self.clone_url,
            self.project_path,
            self.token,
        )
    }

    /// The remote taken apart.
    pub fn remote_url(&self) -> Option<RemoteUrl> {
        RemoteUrl::parse(&self.remote().stored)
    }

    /// Whether `flag` is on.
    pub fn is_on(&self, flag: Flag) -> bool {
        self.flags.is_on(flag)
    }

    /// Configuration with credentials of this job.
    pub fn ext_config(&self) -> String {
        format!("{}/.gitlab-runner.ext.conf", self.directories.temp)
    }

    /// Global git configuration of this job, with `FF_GIT_URLS_WITHOUT_TOKENS`.
    pub fn global_config(&self) -> String {
        format!("{}/.glr.gconf", self.directories.temp)
    }

    /// Template directory of new repositories.
    pub fn template(&self) -> String {
        format!("{}/git-template", self.directories.temp)
    }

    /// A path below the project directory.
    pub fn in_project(&self, path: &str) -> String {
        format!("{}/{path}", self.directories.project)
    }

    /// User agent of git's requests.
    pub fn user_agent(&self) -> String {
        format!(
            "http.userAgent={} {} {}/{}",
            crate::host::NAME,
            crate::host::VERSION,
            crate::host::platform(),
            crate::host::architecture()
        )
    }

    /// `-c http.<origin>.proactiveAuth=basic`, with `FF_USE_GIT_PROACTIVE_AUTH`.
    pub fn proactive_auth(&self) -> Option<String> {
        if !self.is_on(Flag::UseGitProactiveAuth) {
            return None;
        }
        let url = self.remote_url().filter(RemoteUrl::is_http)?;
        Some(format!("http.{}.proactiveAuth=basic", url.origin()))
    }
}
