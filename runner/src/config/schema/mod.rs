//! Every table and key of `config.toml`, in the order of saving (runner.md 2.3 and 3).

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// Integer.
    Integer,
    /// Float; an integer is taken too.
    Float,
    /// Boolean that is left out when false.
    Boolean,
    /// Boolean that may be unset; a `false` is kept.
    Tristate,
    /// Go duration as text, or integer nanoseconds.
    Duration,
    /// TOML date and time.
    Time,
    /// List of texts.
    List,
    /// One text or a list of texts.
    TextOrList,
    /// Free keys, each with a value of any type.
    Map,
    /// Any value.
    Raw,
    /// A table.
    Table(&'static Table),
    /// A list of tables.
    Tables(&'static Table),
}

impl Kind {
    pub(super) fn table(self) -> Option<&'static Table> {
        match self {
            Kind::Table(table) | Kind::Tables(table) => Some(table),
            _ => None,
        }
    }
}

/// What is written when a key is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unset {
    /// Nothing; nor is an empty value written.
    Omit,
    /// Nothing; an empty value is written (the official runner holds a pointer there).
    Keep,
    /// The zero value.
    Zero,
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unset: Unset,
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) keys: &'static [Key],
    /// Whether the table is left out when nothing in it is set.
    pub(super) omit_empty: bool,
    /// Whether keys that are not listed are kept as they are (tables whose keys nobody here reads).
    pub(super) open: bool,
}

impl Table {
    /// The key `name`: spelled exactly, else without regard to case (RUN-CFG-18).
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name).or_else(|| {
            self.keys
                .iter()
                .find(|key| key.name.eq_ignore_ascii_case(name))
        })
    }
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        unset: Unset::Omit,
    }
}

const fn always(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        unset: Unset::Zero,
    }
}

/// A key that may be unset; an empty value is something else and kept.
const fn optional(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        unset: Unset::Keep,
    }
}

macro_rules! table {
    ($name:ident, [$($key:expr),* $(,)?]) => {
        table!($name, omit_empty: false, open: false, [$($key),*]);
    };
    ($name:ident, omit_empty: $omit:literal, open: $open:literal, [$($key:expr),* $(,)?]) => {
        pub(super) static $name: Table = Table { keys: &[$($key),*], omit_empty: $omit, open: $open };
    };
}

mod docker;
mod executors;
mod kubernetes;

use docker::DOCKER;
use executors::{AUTOSCALER, CUSTOM, INSTANCE, MACHINE, PARALLELS, SSH, VIRTUALBOX};
use kubernetes::KUBERNETES;

use Kind::{Boolean, Duration, Integer, List, Map, Text, Time, Tristate};

/// The whole file.
pub(super) static ROOT: Table = Table {
    omit_empty: false,
    open: false,
    keys: &[
        key("listen_address", Text),
        always("concurrent", Integer),
        always("check_interval", Integer),
        key("log_level", Text),
        key("log_format", Text),
        key("user", Text),
        optional("sentry_dsn", Text),
        key("connection_max_age", Duration),
        always("shutdown_timeout", Integer),
        key("session_server", Kind::Table(&SESSION_SERVER)),
        key("labels", Map),
        key("runners", Kind::Tables(&RUNNER)),
        key("machine", Kind::Table(&GLOBAL_MACHINE)),
        key("experimental", Kind::Table(&GLOBAL_EXPERIMENTAL)),
    ],
};

table!(
    SESSION_SERVER,
    [
        key("listen_address", Text),
        key("advertise_address", Text),
        key("session_timeout", Integer),
    ]
);
table!(
    GLOBAL_MACHINE,
    [key("shutdown_drain", Kind::Table(&SHUTDOWN_DRAIN))]
);
table!(
    SHUTDOWN_DRAIN,
    [
        key("enabled", Boolean),
        always("concurrency", Integer),
        always("max_retries", Integer),
        always("retry_backoff", Duration),
    ]
);
table!(
    GLOBAL_EXPERIMENTAL,
    [key("usage_logger", Kind::Table(&USAGE_LOGGER))]
);
table!(
    USAGE_LOGGER,
    [
        always("enabled", Boolean),
        key("writers", List),
        key("logrotate", Kind::Table(&USAGE_LOGROTATE)),
        key("snowplow_billing", Kind::Table(&USAGE_SNOWPLOW)),
    ]
);
table!(USAGE_LOGROTATE, omit_empty: true, open: false, [
    key("log_dir", Text),
    key("max_backup_files", Integer),
    key("max_rotation_age", Duration),
    key("labels", Map),
]);
table!(USAGE_SNOWPLOW, omit_empty: true, open: true, []);
table!(
    RUNNER,
    [
        always("name", Text),
        key("limit", Integer),
        key("output_limit", Integer),
        key("request_concurrency", Integer),
        key("strict_check_interval", Tristate),
        key("unhealthy_requests_limit", Integer),
        optional("unhealthy_interval", Duration),
        key("job_status_final_update_retry_limit", Integer),
        always("url", Text),
        always("id", Integer),
        always("token", Text),
        always("token_obtained_at", Time),
        always("token_expires_at", Time),
        key("tls-ca-file", Text),
        key("tls-cert-file", Text),
        key("tls-key-file", Text),
        always("executor", Text),
        key("builds_dir", Text),
        key("cache_dir", Text),
        key("clone_url", Text),
        key("environment", List),
        key("proxy_exec", Tristate),
        key("pre_get_sources_script", Text),
        key("post_get_sources_script", Text),
        key("pre_build_script", Text),
        key("post_build_script", Text),
        optional("prepare_timeout", Duration),
        optional("get_sources_timeout", Duration),
        key("debug_trace_disabled", Boolean),
        key("safe_directory_checkout", Tristate),
        key("clean_git_config", Tristate),
        key("shell", Text),
        key("use_slot_cgroups", Boolean),
        key("slot_cgroup_template", Text),
        key("step_runner_image", Text),
        key("experimental", Kind::Table(&EXPERIMENTAL)),
        key("labels", Map),
        key("custom_build_dir", Kind::Table(&CUSTOM_BUILD_DIR)),
        key("referees", Kind::Table(&REFEREES)),
        key("cache", Kind::Table(&CACHE)),
        key("artifact", Kind::Table(&ARTIFACT)),
        key("feature_flags", Map),
        key("monitoring", Kind::Table(&MONITORING)),
        key("instance", Kind::Table(&INSTANCE)),
        key("ssh", Kind::Table(&SSH)),
        key("docker", Kind::Table(&DOCKER)),
        key("parallels", Kind::Table(&PARALLELS)),
        key("virtualbox", Kind::Table(&VIRTUALBOX)),
        key("machine", Kind::Table(&MACHINE)),
        key("kubernetes", Kind::Table(&KUBERNETES)),
        key("custom", Kind::Table(&CUSTOM)),
        key("autoscaler", Kind::Table(&AUTOSCALER)),
    ]
);
table!(
    EXPERIMENTAL,
    [key("boot_verify", Kind::Table(&BOOT_VERIFY))]
);
table!(
    BOOT_VERIFY,
    [
        key("enabled", Boolean),
        always("timeout", Duration),
        always("acquire_min_backoff", Duration),
        always("acquire_max_backoff", Duration),
    ]
);
table!(CUSTOM_BUILD_DIR, omit_empty: true, open: false, [key("enabled", Tristate)]);
table!(REFEREES, [key("metrics", Kind::Table(&REFEREE_METRICS))]);
table!(
    REFEREE_METRICS,
    [
        key("prometheus_address", Text),
        always("query_interval", Integer),
        key("queries", List),
    ]
);
table!(
    CACHE,
    [
        key("Type", Text),
        key("Path", Text),
        key("Shared", Boolean),
        always("MaxUploadedArchiveSize", Integer),
        key("s3", Kind::Table(&S3)),
        key("gcs", Kind::Table(&GCS)),
        key("azure", Kind::Table(&AZURE)),
    ]
);
table!(
    S3,
    [
        key("ServerAddress", Text),
        key("AccessKey", Text),
        key("SecretKey", Text),
        key("SessionToken", Text),
        key("BucketName", Text),
        key("BucketLocation", Text),
        key("Insecure", Boolean),
        key("AuthenticationType", Text),
        key("ServerSideEncryption", Text),
        key("ServerSideEncryptionKeyID", Text),
        key("DualStack", Tristate),
        key("PathStyle", Tristate),
        key("Accelerate", Boolean),
        key("RoleARN", Text),
        key("UploadRoleARN", Text),
        always("AssumeRoleMaxConcurrency", Integer),
        key("DisableAssumeRoleCredentialsCaching", Boolean),
    ]
);
table!(
    GCS,
    [
        key("AccessID", Text),
        key("PrivateKey", Text),
        key("CredentialsFile", Text),
        key("BucketName", Text),
        key("UniverseDomain", Text),
    ]
);
table!(
    AZURE,
    [
        key("AccountName", Text),
        key("AccountKey", Text),
        key("ContainerName", Text),
        key("StorageDomain", Text),
    ]
);
table!(ARTIFACT, omit_empty: true, open: false, [
    key("upload_timeout", Duration),
    key("response_header_timeout", Duration),
]);
table!(
    MONITORING,
    [key(
        "job_queuing_durations",
        Kind::Tables(&QUEUING_DURATION)
    )]
);
table!(
    QUEUING_DURATION,
    [
        key("periods", List),
        always("timezone", Text),
        always("threshold", Duration),
        key("jobs_running_for_project", Text),
    ]
);
