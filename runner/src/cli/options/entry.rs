//! Options that become keys of a `[[runners]]` entry (runner.md 3.3 to 3.7), by rule from the schema of the
//! configuration. The names are not regular; `tests` compares them with the recorded help of the official
//! runner.

use super::{Given, Holds, Opt, Pairs};
use crate::config::{KeyType, OptionKey, Section, option_keys};

/// Every option of an entry but name, URL, token and executor, which their commands define.
pub(in crate::cli) fn options() -> Vec<Opt> {
    let mut options: Vec<Opt> = option_keys().iter().filter_map(option).collect();
    // Nobody looks for a key of Kubernetes before one of the entry.
    options.sort_by_key(|option| section_rank(&option.key));
    options
}

fn section_rank(key: &[&str]) -> usize {
    const ORDER: [&str; 9] = [
        "custom_build_dir",
        "cache",
        "ssh",
        "docker",
        "parallels",
        "virtualbox",
        "machine",
        "kubernetes",
        "custom",
    ];
    match key {
        [section, _, ..] => {
            1 + ORDER
                .iter()
                .position(|name| name == section)
                .unwrap_or(ORDER.len())
        }
        _ => 0,
    }
}

/// Puts what was given into an entry.
pub(in crate::cli) fn apply(options: &[Opt], given: &Given, entry: &mut Section) {
    for option in options.iter().filter(|option| !option.key.is_empty()) {
        if let Some(value) = given.get(option.name()) {
            entry.set_at(&option.key, value.clone());
        }
    }
}

fn option(key: &OptionKey) -> Option<Opt> {
    if is_file_only(&key.path) {
        return None;
    }
    let flag = flag(&key.path);
    let where_it_is = match &key.path[..] {
        [name] => format!("Sets `{name}` of the entry"),
        [tables @ .., name] => format!("Sets `{name}` of `[runners.{}]`", tables.join(".")),
        [] => return None,
    };
    Some(Opt {
        names: vec![flag],
        env: env(&key.path),
        holds: holds(key),
        help: where_it_is,
        default: String::new(),
        key: key.path.clone(),
    })
}

/// Keys without an option.
fn is_file_only(path: &[&str]) -> bool {
    match path {
        [name] => [
            "name",
            "url",
            "id",
            "token",
            "token_obtained_at",
            "token_expires_at",
            "executor",
            "labels",
        ]
        .contains(name),
        ["machine", name] => name.starts_with("OffPeak"),
        [section, ..] => ![
            "custom_build_dir",
            "cache",
            "ssh",
            "docker",
            "parallels",
            "virtualbox",
            "machine",
            "kubernetes",
            "custom",
        ]
        .contains(section),
        [] => true,
    }
}

fn holds(key: &OptionKey) -> Holds {
    match key.holds {
        KeyType::Text => Holds::Text,
        KeyType::Integer => Holds::Integer,
        KeyType::Float => Holds::Float,
        KeyType::Boolean => Holds::Switch { empty_is_on: true },
        KeyType::ThreeState => Holds::ThreeState,
        KeyType::Duration => Holds::Duration,
        KeyType::List => Holds::List,
        KeyType::TextOrList => Holds::Commas,
        KeyType::Map => Holds::Map(match key.path.last() {
            Some(&"feature_flags") => Pairs::Boolean,
            Some(&"retry_limits") => Pairs::Integer,
            Some(&"services_devices") => Pairs::List,
            _ => Pairs::Text,
        }),
        KeyType::Other => Holds::FileOnly,
    }
}

/// Tables and keys whose names stay as they are in an option.
fn is_kept(path: &[&str]) -> bool {
    let Some(name) = path.last() else {
        return false;
    };
    match path {
        ["docker", _] => [
            "services_privileged",
            "allowed_users",
            "services_devices",
            "service_gpus",
        ]
        .contains(name),
        ["custom_build_dir"] => true,
        ["cache", _] => *name == "MaxUploadedArchiveSize",
        ["cache", "s3", _] => *name == "AuthenticationType",
        ["kubernetes", _] => {
            name.ends_with("_overwrite_allowed")
                || name.ends_with("_container_security_context")
                || name.ends_with("_grace_period_seconds")
                || [
                    "bearer_token",
                    "namespace_per_job",
                    "cleanup_resources_timeout",
                    "host_aliases",
                    "priority_class_name",
                ]
                .contains(name)
        }
        ["kubernetes", _, _] => name.ends_with("_profile"),
        _ => false,
    }
}

fn flag(path: &[&str]) -> String {
    match path {
        ["environment"] => return "env".to_owned(),
        ["docker", "tls_cert_path"] => return "docker-cert-path".to_owned(),
        ["docker", "tls_verify"] => return "docker-tlsverify".to_owned(),
        ["docker", "userns_mode"] => return "docker-userns".to_owned(),
        ["machine", "IdleCount"] => return "machine-idle-nodes".to_owned(),
        _ => {}
    }
    let parts: Vec<String> = (1..=path.len())
        .map(|end| {
            let words = snake(path[end - 1]);
            if is_kept(&path[..end]) {
                words
            } else {
                words.replace('_', "-")
            }
        })
        .collect();
    let flag = parts.join("-");
    for prefix in ["service", "helper"] {
        let start = format!("kubernetes-{prefix}-ephemeral-storage");
        if let Some(rest) = flag.strip_prefix(&start) {
            return format!("kubernetes-{prefix}-ephemeral_storage{rest}");
        }
    }
    flag
}

fn env(path: &[&str]) -> String {
    let fixed = match path {
        ["unhealthy_interval"]
        | ["docker", "container_labels" | "enable_ipv6" | "network_mtu"]
        | [
            "kubernetes",
            "pod_labels" | "pod_annotations" | "host_aliases",
        ]
        | ["kubernetes", "pod_security_context", "supplemental_groups"]
        | ["kubernetes", _, "selinux_type"]
        | [
            "custom",
            "config_args" | "prepare_args" | "run_args" | "cleanup_args",
        ] => Some(""),
        ["job_status_final_update_retry_limit"] => {
            Some("RUNNER_job_status_final_update_retry_limit")
        }
        ["tls-ca-file"] => Some("CI_SERVER_TLS_CA_FILE"),
        ["tls-cert-file"] => Some("CI_SERVER_TLS_CERT_FILE"),
        ["tls-key-file"] => Some("CI_SERVER_TLS_KEY_FILE"),
        ["environment"] => Some("RUNNER_ENV"),
        ["clone_url"] => Some("CLONE_URL"),
        ["feature_flags"] => Some("FEATURE_FLAGS"),
        ["step_runner_image"] => Some("STEP_RUNNER_IMAGE"),
        ["cache", "MaxUploadedArchiveSize"] => Some("CACHE_MAXIMUM_UPLOADED_ARCHIVE_SIZE"),
        ["cache", "gcs", "CredentialsFile"] => Some("GOOGLE_APPLICATION_CREDENTIALS"),
        ["ssh", "disable_strict_host_key_checking"] => Some("DISABLE_STRICT_HOST_KEY_CHECKING"),
        ["ssh", "known_hosts_file"] => Some("KNOWN_HOSTS_FILE"),
        ["docker", "tls_cert_path"] => Some("DOCKER_CERT_PATH"),
        ["docker", "ipcmode"] => Some("DOCKER_IPC_MODE"),
        ["kubernetes", "context"] => Some("KUBECTL_CONTEXT"),
        ["kubernetes", "retry_limit"] => Some("KUBERNETES_REQUEST_RETRY_LIMIT"),
        ["kubernetes", "retry_backoff_max"] => Some("KUBERNETES_REQUEST_RETRY_BACKOFF_MAX"),
        _ => None,
    };
    if let Some(name) = fixed {
        return name.to_owned();
    }
    let words: Vec<String> = path.iter().map(|part| snake(part).to_uppercase()).collect();
    let name = words.join("_").replace('-', "_");
    match path {
        [_] => format!("RUNNER_{name}"),
        ["machine", ..] => name.replacen("MACHINE_MACHINE_", "MACHINE_", 1),
        _ => name,
    }
}

/// `BucketName` and `bucket_name` as `bucket_name`; `ServerSideEncryptionKeyID` as words too.
fn snake(name: &str) -> String {
    let mut words = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let after_small = at > 0 && letters[at - 1].is_lowercase();
        let before_small = at > 0
            && letters[at - 1].is_uppercase()
            && letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_small || before_small) {
            words.push('_');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
