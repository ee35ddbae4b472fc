//! Every table and key of `config.toml`, in the order of saving (runner.md 2.3 and 3).

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// Text that may be unset; an empty one is kept.
    KeptText,
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

macro_rules! table {
    ($name:ident, [$($key:expr),* $(,)?]) => {
        table!($name, omit_empty: false, open: false, [$($key),*]);
    };
    ($name:ident, omit_empty: $omit:literal, open: $open:literal, [$($key:expr),* $(,)?]) => {
        static $name: Table = Table { keys: &[$($key),*], omit_empty: $omit, open: $open };
    };
}

use Kind::{
    Boolean, Duration, Float, Integer, KeptText, List, Map, Raw, Text, TextOrList, Time, Tristate,
};

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
        key("sentry_dsn", KeptText),
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
        key("unhealthy_interval", Duration),
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
        key("prepare_timeout", Duration),
        key("get_sources_timeout", Duration),
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
table!(
    INSTANCE,
    [
        key("allowed_images", List),
        key("use_common_build_dir", Boolean)
    ]
);
table!(
    SSH,
    [
        key("user", Text),
        key("password", Text),
        key("host", Text),
        key("port", Text),
        key("identity_file", Text),
        key("disable_strict_host_key_checking", Tristate),
        key("known_hosts_file", Text),
    ]
);
table!(
    DOCKER,
    [
        key("host", Text),
        key("tls_cert_path", Text),
        always("tls_verify", Boolean),
        key("hostname", Text),
        always("image", Text),
        key("runtime", Text),
        key("memory", Text),
        key("memory_swap", Text),
        key("memory_reservation", Text),
        key("cgroup_parent", Text),
        key("cpuset_cpus", Text),
        key("cpuset_mems", Text),
        key("cpus", Text),
        key("cpu_shares", Integer),
        key("dns", List),
        key("dns_search", List),
        always("privileged", Boolean),
        key("services_privileged", Tristate),
        always("disable_entrypoint_overwrite", Boolean),
        key("user", Text),
        key("allowed_users", List),
        key("group_add", List),
        key("userns_mode", Text),
        key("cap_add", List),
        key("cap_drop", List),
        always("oom_kill_disable", Boolean),
        key("oom_score_adjust", Integer),
        key("security_opt", List),
        key("services_security_opt", List),
        key("devices", List),
        key("device_cgroup_rules", List),
        key("gpus", Text),
        key("services_devices", Raw),
        always("disable_cache", Boolean),
        key("volumes", List),
        key("volume_driver", Text),
        key("volume_driver_ops", Map),
        always("volume_keep", Boolean),
        key("cache_dir", Text),
        key("extra_hosts", List),
        key("volumes_from", List),
        key("network_mode", Text),
        key("pid_mode", Text),
        key("ipcmode", Text),
        key("mac_address", Text),
        key("links", List),
        key("services_limit", Integer),
        key("service_memory", Text),
        key("service_memory_swap", Text),
        key("service_memory_reservation", Text),
        key("service_cgroup_parent", Text),
        key("service_slot_cgroup_template", Text),
        key("service_cpuset_cpus", Text),
        key("service_cpus", Text),
        key("service_cpu_shares", Integer),
        key("service_gpus", Text),
        key("wait_for_services_timeout", Integer),
        key("allowed_images", List),
        key("allowed_privileged_images", List),
        key("allowed_privileged_services", List),
        key("allowed_pull_policies", List),
        key("allowed_services", List),
        key("pull_policy", TextOrList),
        key("isolation", Text),
        always("shm_size", Integer),
        key("tmpfs", Map),
        key("services_tmpfs", Map),
        key("sysctls", Map),
        key("helper_image", Text),
        key("helper_image_flavor", Text),
        key("container_labels", Map),
        key("enable_ipv6", Boolean),
        key("ulimit", Map),
        key("log_options", Map),
        always("network_mtu", Integer),
        key("services", Kind::Tables(&SERVICE)),
    ]
);
table!(SERVICE, omit_empty: false, open: true, [
    key("name", Text),
    key("alias", Text),
    key("command", List),
    key("entrypoint", List),
    key("environment", List),
]);
table!(
    PARALLELS,
    [
        always("base_name", Text),
        key("template_name", Text),
        always("disable_snapshots", Boolean),
        key("time_server", Text),
        key("allowed_images", List),
    ]
);
table!(
    VIRTUALBOX,
    [
        always("base_name", Text),
        key("base_snapshot", Text),
        always("base_folder", Text),
        always("disable_snapshots", Boolean),
        key("allowed_images", List),
        always("start_type", Text),
    ]
);
table!(
    MACHINE,
    [
        key("MaxGrowthRate", Integer),
        always("IdleCount", Integer),
        always("IdleScaleFactor", Float),
        always("IdleCountMin", Integer),
        key("IdleTime", Integer),
        key("MaxBuilds", Integer),
        always("MachineDriver", Text),
        always("MachineName", Text),
        key("MachineOptions", List),
        key("MachineOptionsWithName", List),
        key("MaxRemovalAttempts", Integer),
        key("OffPeakPeriods", List),
        key("OffPeakTimezone", Text),
        key("OffPeakIdleCount", Integer),
        key("OffPeakIdleTime", Integer),
        key("autoscaling", Kind::Tables(&MACHINE_AUTOSCALING)),
    ]
);
table!(
    MACHINE_AUTOSCALING,
    [
        key("Periods", List),
        always("Timezone", Text),
        always("IdleCount", Integer),
        always("IdleScaleFactor", Float),
        always("IdleCountMin", Integer),
        always("IdleTime", Integer),
    ]
);
table!(KUBERNETES, omit_empty: false, open: true, [
    always("host", Text),
    key("context", Text),
    key("cert_file", Text),
    key("key_file", Text),
    key("ca_file", Text),
    always("bearer_token_overwrite_allowed", Boolean),
    key("bearer_token", Text),
    always("image", Text),
    always("namespace", Text),
    always("namespace_overwrite_allowed", Text),
    always("namespace_per_job", Boolean),
    key("privileged", Tristate),
    key("pull_policy", TextOrList),
    always("node_selector_overwrite_allowed", Text),
    always("node_tolerations_overwrite_allowed", Text),
    always("pod_labels_overwrite_allowed", Text),
    key("service_account", Text),
    always("service_account_overwrite_allowed", Text),
    always("pod_annotations_overwrite_allowed", Text),
    key("retry_limits", Map),
    key("volumes", Kind::Table(&KUBERNETES_VOLUMES)),
    key("services", Kind::Tables(&SERVICE)),
    key("affinity", Kind::Table(&KUBERNETES_AFFINITY)),
    key("dns_config", Kind::Table(&KUBERNETES_DNS)),
]);
table!(KUBERNETES_VOLUMES, omit_empty: false, open: true, []);
table!(KUBERNETES_AFFINITY, omit_empty: true, open: true, []);
table!(KUBERNETES_DNS, omit_empty: false, open: true, []);
table!(
    CUSTOM,
    [
        key("config_exec", Text),
        key("config_args", List),
        key("config_exec_timeout", Integer),
        key("prepare_exec", Text),
        key("prepare_args", List),
        key("prepare_exec_timeout", Integer),
        always("run_exec", Text),
        key("run_args", List),
        key("cleanup_exec", Text),
        key("cleanup_args", List),
        key("cleanup_exec_timeout", Integer),
        key("graceful_kill_timeout", Integer),
        key("force_kill_timeout", Integer),
    ]
);
table!(AUTOSCALER, omit_empty: false, open: true, [
    always("capacity_per_instance", Integer),
    always("max_use_count", Integer),
    always("max_instances", Integer),
    key("plugin", Text),
    always("instance_acquire_timeout", Duration),
    always("update_interval", Duration),
    always("update_interval_when_expecting", Duration),
    always("deletion_retry_interval", Duration),
    always("shutdown_deletion_interval", Duration),
    always("shutdown_deletion_retries", Integer),
    always("failure_threshold", Integer),
    key("plugin_config", Map),
    key("scale_throttle", Kind::Table(&AUTOSCALER_PART)),
    key("state_storage", Kind::Table(&AUTOSCALER_PART)),
    key("connector_config", Kind::Table(&AUTOSCALER_PART)),
    key("vm_isolation", Kind::Table(&AUTOSCALER_PART)),
    key("policy", Kind::Tables(&AUTOSCALER_POLICY)),
]);
table!(AUTOSCALER_PART, omit_empty: true, open: true, []);
table!(
    AUTOSCALER_POLICY,
    [
        key("periods", List),
        key("timezone", Text),
        always("idle_count", Integer),
        always("idle_time", Duration),
        always("scale_factor", Float),
        always("scale_factor_limit", Integer),
        key("preemptive_mode", Tristate),
    ]
);
