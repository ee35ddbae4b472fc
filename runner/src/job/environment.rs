//! Puts the variables of a job together (runner.md 8).

use protocol::JobPayload;

use super::directories::{Directories, DirectoryInput};
use super::flags::{Flag, Flags};
use super::request::{JobConfig, JobIds, JobTls};
use super::settings::Settings;
use super::variables::{JobVariable, Variables};
use crate::executor::{Environment, ExecutorError};
use crate::host;

/// What the variables are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct VariableInput<'a> {
    pub(super) payload: &'a JobPayload,
    pub(super) config: &'a JobConfig,
    pub(super) flags: &'a Flags,
    pub(super) environment: &'a Environment,
    pub(super) ids: JobIds,
    pub(super) tls: &'a JobTls,
    pub(super) timeout_seconds: u64,
    pub(super) secrets: &'a [JobVariable],
}

/// Feature flags of a job, from configuration, payload and `environment` (RUN-VAR-02).
pub(super) fn flags(payload: &JobPayload, config: &JobConfig, warnings: &mut Vec<String>) -> Flags {
    let environment = |name: &str| {
        config.environment.iter().rev().find_map(|entry| {
            let (key, value) = entry.split_once('=')?;
            (key == name).then_some(value)
        })
    };
    Flags::resolve(
        &config.feature_flags,
        |name| {
            let variables = payload.variables.as_slice();
            let own = variables.iter().rev().find(|v| v.key.as_str() == name);
            own.map(|variable| variable.value.as_str())
                .or_else(|| environment(name))
        },
        warnings,
    )
}

/// All variables in order; later ones win (RUN-VAR-01, RUN-VAR-05, RUN-VAR-09).
pub(super) fn variables(input: &VariableInput<'_>, directories: &Directories) -> Variables {
    let mut list: Vec<JobVariable> = Flag::ALL
        .iter()
        .map(|&flag| public(flag.name(), input.flags.is_on(flag).to_string()))
        .collect();
    if let Some(image) = &input.environment.image {
        list.push(public("CI_JOB_IMAGE", image.clone()));
    }
    let short = protocol::token::short(&input.config.token);
    list.push(public("CI_RUNNER_SHORT_TOKEN", short));
    list.extend(input.config.environment.iter().filter_map(|entry| {
        let (key, value) = entry.split_once('=')?;
        Flag::by_name(key).is_none().then(|| JobVariable {
            internal: false,
            ..public(key, value)
        })
    }));
    list.extend([
        public("CI_BUILDS_DIR", directories.builds.clone()),
        public("CI_PROJECT_DIR", directories.project.clone()),
        public("CI_CONCURRENT_ID", input.ids.concurrent_id.to_string()),
        public(
            "CI_CONCURRENT_PROJECT_ID",
            input.ids.project_concurrent_id.to_string(),
        ),
        public("CI_SERVER", "yes"),
        public("CI_JOB_STATUS", "running"),
        public("CI_JOB_TIMEOUT", input.timeout_seconds.to_string()),
    ]);
    for (key, content) in tls_files(input.tls) {
        list.push(JobVariable {
            raw: true,
            ..JobVariable::file(key, content)
        });
    }
    let payload = input.payload.variables.as_slice().iter();
    list.extend(
        payload
            .filter(|variable| Flag::by_name(variable.key.as_str()).is_none())
            .map(JobVariable::from),
    );
    let shared = if input.environment.shared_environment {
        "CI_SHARED_ENVIRONMENT"
    } else {
        "CI_DISPOSABLE_ENVIRONMENT"
    };
    list.extend([
        public(shared, "true"),
        public("CI_RUNNER_VERSION", host::VERSION),
        public("CI_RUNNER_REVISION", host::REVISION),
        public(
            "CI_RUNNER_EXECUTABLE_ARCH",
            format!("{}/{}", host::platform(), host::architecture()),
        ),
    ]);
    list.extend(input.secrets.iter().cloned());
    list.push(public("RUNNER_TEMP_PROJECT_DIR", directories.temp.clone()));
    Variables::new(list, directories.temp.clone())
}

fn public(key: &str, value: impl Into<String>) -> JobVariable {
    JobVariable::public(key, value)
}

/// TLS files as variable name and content.
fn tls_files(tls: &JobTls) -> impl Iterator<Item = (&'static str, &str)> {
    [
        ("CI_SERVER_TLS_CA_FILE", tls.ca.as_str()),
        ("CI_SERVER_TLS_CERT_FILE", tls.cert.as_str()),
        ("CI_SERVER_TLS_KEY_FILE", tls.key.as_str()),
    ]
    .into_iter()
    .filter(|(_, content)| !content.is_empty())
}

/// git's option for each TLS file, with its path.
pub(super) fn git_tls_files(
    tls: &JobTls,
    directories: &Directories,
) -> Vec<(&'static str, String)> {
    tls_files(tls)
        .map(|(key, _)| {
            let option = match key {
                "CI_SERVER_TLS_CA_FILE" => "sslCAInfo",
                "CI_SERVER_TLS_CERT_FILE" => "sslCert",
                _ => "sslKey",
            };
            (option, format!("{}/{key}", directories.temp))
        })
        .collect()
}

/// The directories of a job, which its own variables may choose.
pub(super) fn directories(
    input: &VariableInput<'_>,
    settings: &Settings,
    variables: &Variables,
) -> Result<Directories, ExecutorError> {
    let environment = input.environment;
    let chosen = |configured: &str, default: &Option<String>| match default {
        // The executor has worked the configuration in already.
        Some(directory) => directory.clone(),
        None => configured.to_owned(),
    };
    let info = input.payload.job_info.as_ref();
    let git = input.payload.git_info.as_ref();
    Directories::new(&DirectoryInput {
        builds_dir: &chosen(&input.config.builds_dir, &environment.builds_dir),
        cache_dir: &chosen(&input.config.cache_dir, &environment.cache_dir),
        shared: environment.shared_builds_dir,
        short_token: protocol::token::short(&input.config.token),
        project_concurrent_id: input.ids.project_concurrent_id,
        repo_url: git.map_or("", |git| git.repo_url.as_str()),
        project_id: info.map_or(0, |info| info.project_id.get()),
        strategy: settings.git_strategy,
        clone_path: &variables.get("GIT_CLONE_PATH"),
        custom_allowed: input
            .config
            .custom_build_dir
            .unwrap_or(environment.custom_build_dir),
    })
}
