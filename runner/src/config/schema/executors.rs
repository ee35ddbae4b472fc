//! Tables of the smaller executors and of the autoscaler (runner.md 3.3, 3.6).

use super::Kind::{self, Boolean, Duration, Float, Integer, List, Map, Text, Tristate};
use super::{Table, always, key, optional};

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
table!(
    CUSTOM,
    [
        key("config_exec", Text),
        key("config_args", List),
        optional("config_exec_timeout", Integer),
        key("prepare_exec", Text),
        key("prepare_args", List),
        optional("prepare_exec_timeout", Integer),
        always("run_exec", Text),
        key("run_args", List),
        key("cleanup_exec", Text),
        key("cleanup_args", List),
        optional("cleanup_exec_timeout", Integer),
        optional("graceful_kill_timeout", Integer),
        optional("force_kill_timeout", Integer),
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
