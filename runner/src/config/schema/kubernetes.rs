//! `[runners.kubernetes]` (runner.md 3.5).

use super::Kind::{self, Boolean, Duration, Integer, List, Map, Raw, Text, TextOrList, Tristate};
use super::docker::SERVICE;
use super::{Table, always, key, optional};

table!(
    KUBERNETES,
    [
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
        optional("runtime_class_name", Text),
        key("allow_privilege_escalation", Tristate),
        key("cpu_limit", Text),
        key("cpu_limit_overwrite_max_allowed", Text),
        key("cpu_request", Text),
        key("cpu_request_overwrite_max_allowed", Text),
        key("memory_limit", Text),
        key("memory_limit_overwrite_max_allowed", Text),
        key("memory_request", Text),
        key("memory_request_overwrite_max_allowed", Text),
        key("ephemeral_storage_limit", Text),
        key("ephemeral_storage_limit_overwrite_max_allowed", Text),
        key("ephemeral_storage_request", Text),
        key("ephemeral_storage_request_overwrite_max_allowed", Text),
        key("service_cpu_limit", Text),
        key("service_cpu_limit_overwrite_max_allowed", Text),
        key("service_cpu_request", Text),
        key("service_cpu_request_overwrite_max_allowed", Text),
        key("service_memory_limit", Text),
        key("service_memory_limit_overwrite_max_allowed", Text),
        key("service_memory_request", Text),
        key("service_memory_request_overwrite_max_allowed", Text),
        key("service_ephemeral_storage_limit", Text),
        key(
            "service_ephemeral_storage_limit_overwrite_max_allowed",
            Text
        ),
        key("service_ephemeral_storage_request", Text),
        key(
            "service_ephemeral_storage_request_overwrite_max_allowed",
            Text
        ),
        key("helper_cpu_limit", Text),
        key("helper_cpu_limit_overwrite_max_allowed", Text),
        key("helper_cpu_request", Text),
        key("helper_cpu_request_overwrite_max_allowed", Text),
        key("helper_memory_limit", Text),
        key("helper_memory_limit_overwrite_max_allowed", Text),
        key("helper_memory_request", Text),
        key("helper_memory_request_overwrite_max_allowed", Text),
        key("helper_ephemeral_storage_limit", Text),
        key("helper_ephemeral_storage_limit_overwrite_max_allowed", Text),
        key("helper_ephemeral_storage_request", Text),
        key(
            "helper_ephemeral_storage_request_overwrite_max_allowed",
            Text
        ),
        key("pod_cpu_limit", Text),
        key("pod_cpu_limit_overwrite_max_allowed", Text),
        key("pod_cpu_request", Text),
        key("pod_cpu_request_overwrite_max_allowed", Text),
        key("pod_memory_limit", Text),
        key("pod_memory_limit_overwrite_max_allowed", Text),
        key("pod_memory_request", Text),
        key("pod_memory_request_overwrite_max_allowed", Text),
        key("allowed_images", List),
        key("allowed_pull_policies", List),
        key("allowed_services", List),
        key("allowed_users", List),
        key("allowed_groups", List),
        key("pull_policy", TextOrList),
        key("node_selector", Map),
        always("node_selector_overwrite_allowed", Text),
        key("node_tolerations", Map),
        always("node_tolerations_overwrite_allowed", Text),
        key("affinity", Kind::Table(&KUBERNETES_AFFINITY)),
        key("image_pull_secrets", List),
        key("use_service_account_image_pull_secrets", Boolean),
        key("helper_image", Text),
        key("helper_image_flavor", Text),
        key("helper_image_autoset_arch_and_os", Boolean),
        optional("pod_termination_grace_period_seconds", Integer),
        optional("cleanup_grace_period_seconds", Integer),
        optional("cleanup_resources_timeout", Duration),
        key("poll_interval", Integer),
        key("poll_timeout", Integer),
        key("resource_availability_check_max_attempts", Integer),
        key("retry_limit", Integer),
        key("retry_backoff_max", Integer),
        key("retry_limits", Map),
        key("pod_labels", Map),
        always("pod_labels_overwrite_allowed", Text),
        key("scheduler_name", Text),
        key("service_account", Text),
        always("service_account_overwrite_allowed", Text),
        key("automount_service_account_token", Tristate),
        key("pod_annotations", Map),
        always("pod_annotations_overwrite_allowed", Text),
        key("pod_security_context", Kind::Table(&POD_SECURITY)),
        key(
            "init_permissions_container_security_context",
            Kind::Table(&CONTAINER_SECURITY)
        ),
        key(
            "build_container_security_context",
            Kind::Table(&CONTAINER_SECURITY)
        ),
        key(
            "helper_container_security_context",
            Kind::Table(&CONTAINER_SECURITY)
        ),
        key(
            "service_container_security_context",
            Kind::Table(&CONTAINER_SECURITY)
        ),
        key("volumes", Kind::Table(&KUBERNETES_VOLUMES)),
        key("host_aliases", Kind::Tables(&ANYTHING)),
        key("services", Kind::Tables(&SERVICE)),
        key("cap_add", List),
        key("cap_drop", List),
        key("suspend_pvc_size", Text),
        key("suspend_pvc_storage_class", Text),
        key("dns_policy", Text),
        key("dns_config", Kind::Table(&KUBERNETES_DNS)),
        key("container_lifecycle", Kind::Table(&LIFECYCLE)),
        key("priority_class_name", Text),
        key("pod_spec", Kind::Tables(&ANYTHING)),
        key("logs_base_dir", Text),
        key("scripts_base_dir", Text),
        key("print_pod_warning_events", Tristate),
        key("pod_disruption_budget", Tristate),
        key("autoscaler", Kind::Table(&LIFECYCLE)),
    ]
);
table!(POD_SECURITY, omit_empty: true, open: false, [
    optional("fs_group", Integer),
    optional("run_as_group", Integer),
    key("run_as_non_root", Tristate),
    optional("run_as_user", Integer),
    key("supplemental_groups", Raw),
    key("selinux_type", Text),
    key("seccomp_profile", Kind::Table(&PROFILE)),
    key("app_armor_profile", Kind::Table(&PROFILE)),
]);
table!(CONTAINER_SECURITY, omit_empty: true, open: false, [
    key("capabilities", Kind::Table(&CAPABILITIES)),
    key("privileged", Tristate),
    optional("run_as_user", Integer),
    optional("run_as_group", Integer),
    key("run_as_non_root", Tristate),
    key("read_only_root_filesystem", Tristate),
    key("allow_privilege_escalation", Tristate),
    key("selinux_type", Text),
    key("proc_mount", Text),
    key("seccomp_profile", Kind::Table(&PROFILE)),
    key("app_armor_profile", Kind::Table(&PROFILE)),
]);
table!(CAPABILITIES, omit_empty: true, open: false, [key("add", List), key("drop", List)]);
table!(PROFILE, omit_empty: true, open: false, [
    key("type", Text),
    key("localhost_profile", Text),
]);
table!(KUBERNETES_VOLUMES, omit_empty: false, open: true, []);
table!(KUBERNETES_AFFINITY, omit_empty: true, open: true, []);
table!(KUBERNETES_DNS, omit_empty: false, open: true, []);
table!(LIFECYCLE, omit_empty: true, open: true, []);
// Tables of a list, kept as they are.
table!(ANYTHING, omit_empty: false, open: true, []);
