//! Options and their environment variables (runner.md 2.1-2.5).

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

/// `gitlab-runner`: a GitLab Runner.
#[derive(Debug, Parser)]
#[command(
    name = "gitlab-runner",
    disable_version_flag = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Debug mode: level debug, whatever else is set.
    #[arg(long, env = "RUNNER_DEBUG", value_parser = clap::builder::FalseyValueParser::new())]
    pub debug: bool,
    /// Log level (options: debug, info, warn, error, fatal, panic).
    #[arg(long, short = 'l', env = "LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Log format (options: runner, text, json).
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Print the version.
    #[arg(long, short = 'v', action = ArgAction::SetTrue)]
    pub version: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run multi runner service.
    Run(RunArgs),
    /// Start single runner.
    RunSingle(Box<RunSingleArgs>),
    /// Register a new runner.
    Register(Box<RegisterArgs>),
    /// Verify all registered runners.
    Verify(VerifyArgs),
    /// Unregister specific runner.
    Unregister(UnregisterArgs),
    /// List all configured runners.
    List(ConfigArgs),
    /// Reset a runner's token.
    ResetToken(ResetTokenArgs),
    /// Check the configuration file.
    Lint(ConfigArgs),
}

/// `--config`, which every command has (RUN-CLI-03).
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// Config file.
    #[arg(long, short = 'c', env = "CONFIG_FILE", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigArgs {
    /// The file: as given, else the default.
    pub fn path(&self) -> PathBuf {
        self.config
            .clone()
            .unwrap_or_else(crate::config::default_path)
    }
}

/// Options of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "options of its own")]
    pub config: ConfigArgs,
    /// Specify custom working directory.
    #[arg(long, short = 'd', value_name = "DIR")]
    pub working_directory: Option<PathBuf>,
    /// Use specific user to execute shell scripts.
    #[arg(long, short = 'u', value_name = "USER")]
    pub user: Option<String>,
    /// Use different names for different services.
    #[arg(
        long,
        short = 'n',
        default_value = "gitlab-runner",
        value_name = "NAME"
    )]
    pub service: String,
    /// Log to system service logger (not supported by this runner).
    #[arg(long, env = "LOG_SYSLOG")]
    pub syslog: bool,
    /// Metrics and debug server address (not supported by this runner).
    #[arg(long, env = "LISTEN_ADDRESS", value_name = "ADDRESS")]
    pub listen_address: Option<String>,
}

/// Options of `run-single`.
#[derive(Debug, Args)]
pub struct RunSingleArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "options of its own")]
    pub config: ConfigArgs,
    /// GitLab instance URL.
    #[arg(
        long,
        short = 'u',
        env = "CI_SERVER_URL",
        default_value = "",
        hide_env_values = true
    )]
    pub url: String,
    /// Runner token.
    #[arg(
        long,
        short = 't',
        env = "CI_SERVER_TOKEN",
        default_value = "",
        hide_env_values = true
    )]
    pub token: String,
    /// Runner name.
    #[arg(long, visible_alias = "description", env = "RUNNER_NAME")]
    pub name: Option<String>,
    /// Select executor, for example shell.
    #[arg(long, env = "RUNNER_EXECUTOR", default_value = "")]
    pub executor: String,
    /// How long to wait in seconds if receiving the first job; 0 = for ever.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub wait_timeout: u64,
    /// How many builds to process before exiting; 0 = no limit.
    #[arg(long, default_value_t = 0)]
    pub max_builds: u64,
    /// Runner name from the config file to use instead of command-line arguments.
    #[arg(long, short = 'r', value_name = "NAME")]
    pub runner: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "options of its own")]
    pub entry: EntryArgs,
}

/// Options of `register`.
#[derive(Debug, Args)]
pub struct RegisterArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "options of its own")]
    pub config: ConfigArgs,
    /// GitLab instance URL.
    #[arg(
        long,
        short = 'u',
        env = "CI_SERVER_URL",
        default_value = "",
        hide_env_values = true
    )]
    pub url: String,
    /// Runner authentication token.
    #[arg(
        long,
        short = 't',
        env = "CI_SERVER_TOKEN",
        default_value = "",
        hide_env_values = true
    )]
    pub token: String,
    /// Runner's registration token (deprecated).
    #[arg(
        long,
        short = 'r',
        env = "REGISTRATION_TOKEN",
        default_value = "",
        hide_env_values = true
    )]
    pub registration_token: String,
    /// Runner name.
    #[arg(long, visible_alias = "description", env = "RUNNER_NAME")]
    pub name: Option<String>,
    /// Select executor, for example shell.
    #[arg(long, env = "RUNNER_EXECUTOR", default_value = "")]
    pub executor: String,
    /// Run registration unattended.
    #[arg(long, short = 'n', env = "REGISTER_NON_INTERACTIVE")]
    pub non_interactive: bool,
    /// Don't remove runner if registration fails.
    #[arg(long, env = "REGISTER_LEAVE_RUNNER")]
    pub leave_runner: bool,
    /// Tag list (registration tokens only).
    #[arg(long, env = "RUNNER_TAG_LIST", default_value = "")]
    pub tag_list: String,
    /// Run jobs without tags; true without tags (registration tokens only).
    #[arg(long, env = "REGISTER_RUN_UNTAGGED", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub run_untagged: Option<bool>,
    /// Lock the runner to its project; true unless told otherwise (registration tokens only).
    #[arg(long, env = "REGISTER_LOCKED", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub locked: Option<bool>,
    /// not_protected or ref_protected (registration tokens only).
    #[arg(long, env = "REGISTER_ACCESS_LEVEL", default_value = "")]
    pub access_level: String,
    /// Most job timeout, s (registration tokens only).
    #[arg(long, env = "REGISTER_MAXIMUM_TIMEOUT")]
    pub maximum_timeout: Option<i64>,
    /// Take no jobs (registration tokens only).
    #[arg(long, env = "REGISTER_PAUSED", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub paused: Option<bool>,
    /// Note for administrators (registration tokens only).
    #[arg(long, env = "REGISTER_MAINTENANCE_NOTE", default_value = "")]
    pub maintenance_note: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "options of its own")]
    pub entry: EntryArgs,
}

/// Options that become keys of the `[[runners]]` entry.
#[derive(Debug, Default, Args)]
pub struct EntryArgs {
    /// Maximum number of jobs of this entry at a time.
    #[arg(long, env = "RUNNER_LIMIT")]
    pub limit: Option<i64>,
    /// Maximum job log size, KiB.
    #[arg(long, env = "RUNNER_OUTPUT_LIMIT")]
    pub output_limit: Option<i64>,
    /// Maximum concurrency for job requests.
    #[arg(long, env = "RUNNER_REQUEST_CONCURRENCY")]
    pub request_concurrency: Option<i64>,
    /// No poll at once after a job came.
    #[arg(long, env = "RUNNER_STRICT_CHECK_INTERVAL", value_name = "BOOL")]
    pub strict_check_interval: Option<bool>,
    /// Requests that may fail before the entry rests.
    #[arg(long, env = "RUNNER_UNHEALTHY_REQUESTS_LIMIT")]
    pub unhealthy_requests_limit: Option<i64>,
    /// How long an unhealthy entry rests (Go duration).
    #[arg(long, value_name = "DURATION")]
    pub unhealthy_interval: Option<String>,
    /// File with CA certificates of the server.
    #[arg(long, env = "CI_SERVER_TLS_CA_FILE", value_name = "FILE")]
    pub tls_ca_file: Option<String>,
    /// File with the client certificate.
    #[arg(long, env = "CI_SERVER_TLS_CERT_FILE", value_name = "FILE")]
    pub tls_cert_file: Option<String>,
    /// File with the client key.
    #[arg(long, env = "CI_SERVER_TLS_KEY_FILE", value_name = "FILE")]
    pub tls_key_file: Option<String>,
    /// Directory where builds are stored.
    #[arg(long, env = "RUNNER_BUILDS_DIR", value_name = "DIR")]
    pub builds_dir: Option<String>,
    /// Directory where build cache is stored.
    #[arg(long, env = "RUNNER_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<String>,
    /// Overwrite the default URL used to clone or fetch the git ref.
    #[arg(long, env = "CLONE_URL", value_name = "URL")]
    pub clone_url: Option<String>,
    /// Custom environment variables injected to build environment; may be repeated.
    #[arg(long = "env", env = "RUNNER_ENV", value_name = "K=V")]
    pub environment: Vec<String>,
    /// Script executed before the sources are fetched.
    #[arg(long, env = "RUNNER_PRE_GET_SOURCES_SCRIPT", value_name = "SCRIPT")]
    pub pre_get_sources_script: Option<String>,
    /// Script executed after the sources are fetched.
    #[arg(long, env = "RUNNER_POST_GET_SOURCES_SCRIPT", value_name = "SCRIPT")]
    pub post_get_sources_script: Option<String>,
    /// Script executed just before the build.
    #[arg(long, env = "RUNNER_PRE_BUILD_SCRIPT", value_name = "SCRIPT")]
    pub pre_build_script: Option<String>,
    /// Script executed just after the build.
    #[arg(long, env = "RUNNER_POST_BUILD_SCRIPT", value_name = "SCRIPT")]
    pub post_build_script: Option<String>,
    /// Ignore CI_DEBUG_TRACE and CI_DEBUG_SERVICES.
    #[arg(long, env = "RUNNER_DEBUG_TRACE_DISABLED")]
    pub debug_trace_disabled: bool,
    /// Select bash or sh.
    #[arg(long, env = "RUNNER_SHELL")]
    pub shell: Option<String>,
}

/// Options of `verify`. They read no server variables (RUN-CLI-16).
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "options of its own")]
    pub config: ConfigArgs,
    /// Name of the runner you wish to verify.
    #[arg(long, short = 'n', default_value = "")]
    pub name: String,
    /// Runner URL.
    #[arg(long, short = 'u', default_value = "")]
    pub url: String,
    /// Runner token.
    #[arg(long, short = 't', default_value = "")]
    pub token: String,
    /// Delete no longer existing runners.
    #[arg(long)]
    pub delete: bool,
}

/// Options of `unregister`.
#[derive(Debug, Args)]
pub struct UnregisterArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "options of its own")]
    pub config: ConfigArgs,
    /// Name of the runner you wish to unregister.
    #[arg(long, short = 'n', default_value = "")]
    pub name: String,
    /// Runner URL; does not select.
    #[arg(
        long,
        short = 'u',
        env = "CI_SERVER_URL",
        default_value = "",
        hide_env_values = true
    )]
    pub url: String,
    /// Runner token.
    #[arg(
        long,
        short = 't',
        env = "CI_SERVER_TOKEN",
        default_value = "",
        hide_env_values = true
    )]
    pub token: String,
    /// Unregister all runners.
    #[arg(long)]
    pub all_runners: bool,
}

/// Options of `reset-token`.
#[derive(Debug, Args)]
pub struct ResetTokenArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "options of its own")]
    pub config: ConfigArgs,
    /// Name of the runner whose token you wish to reset.
    #[arg(long, short = 'n', default_value = "")]
    pub name: String,
    /// URL of the runner whose token you wish to reset; with --id.
    #[arg(long, short = 'u', default_value = "")]
    pub url: String,
    /// Id of the runner whose token you wish to reset; with --url.
    #[arg(long, short = 'i', default_value_t = 0)]
    pub id: i64,
    /// Reset all runner authentication tokens.
    #[arg(long)]
    pub all_runners: bool,
    /// Personal access token to use instead of the runner's old token.
    #[arg(long, default_value = "")]
    pub pat: String,
}
