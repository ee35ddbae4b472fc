//! Keys that this runner does not act on (issue: none is swallowed in silence).

use super::file::Config;
use super::section::{Section, Value};
use crate::job::Flag;

/// Global keys that have an effect, or have none in the official runner either (`user`).
const GLOBAL: [&str; 11] = [
    "concurrent",
    "check_interval",
    "log_level",
    "log_format",
    "user",
    "listen_address",
    "connection_max_age",
    "shutdown_timeout",
    "labels",
    "session_server",
    "runners",
];

/// Keys of an entry that have an effect.
const ENTRY: [&str; 35] = [
    "name",
    "limit",
    "output_limit",
    "request_concurrency",
    "strict_check_interval",
    "unhealthy_requests_limit",
    "unhealthy_interval",
    "job_status_final_update_retry_limit",
    "url",
    "id",
    "token",
    "token_obtained_at",
    "token_expires_at",
    "tls-ca-file",
    "tls-cert-file",
    "tls-key-file",
    "executor",
    "builds_dir",
    "cache_dir",
    "clone_url",
    "environment",
    "pre_get_sources_script",
    "post_get_sources_script",
    "pre_build_script",
    "post_build_script",
    "prepare_timeout",
    "get_sources_timeout",
    "debug_trace_disabled",
    "safe_directory_checkout",
    "clean_git_config",
    "shell",
    "labels",
    "custom_build_dir",
    "feature_flags",
    // Its own executor alone reads it, and an executor that is missing is named elsewhere.
    "slot_cgroup_template",
];

/// Keys deeper inside that have an effect; their tables have others that have none.
const INNER: [&str; 2] = [
    "runners.experimental.boot_verify.enabled",
    "runners.experimental.boot_verify.timeout",
];

/// Tables of executors: an entry for another executor leaves them alone, as the official runner does, and
/// an executor that is not there is an error of its own.
const EXECUTORS: [&str; 9] = [
    "instance",
    "ssh",
    "docker",
    "parallels",
    "virtualbox",
    "machine",
    "kubernetes",
    "custom",
    "autoscaler",
];

impl Config {
    /// Warns of keys that are unknown, or that this runner does not act on.
    pub fn say_idle_keys(&self) {
        let unknown = self.unknown_keys();
        if !unknown.is_empty() {
            tracing::warn!(
                keys = unknown.join(" "),
                "The configuration has keys that no runner knows"
            );
        }
        let flags = self.unknown_flags();
        if !flags.is_empty() {
            tracing::warn!(
                flags = flags.join(" "),
                "The configuration has feature flags that no runner knows"
            );
        }
        let without_effect = self.keys_without_effect();
        if !without_effect.is_empty() {
            tracing::warn!(
                keys = without_effect.join(" "),
                "The configuration has keys that this runner does not act on"
            );
        }
    }

    /// Names in `[runners.feature_flags]` that are no feature flags, each once.
    pub fn unknown_flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        let entries = self.runners().iter();
        for name in entries.flat_map(|runner| runner.feature_flags.keys()) {
            if Flag::by_name(name).is_none() {
                note(name.clone(), &mut flags);
            }
        }
        flags
    }

    /// Keys that are set and on which this runner does not act, by their full names, each once.
    pub fn keys_without_effect(&self) -> Vec<String> {
        let mut keys = Vec::new();
        let global = self.global();
        for (key, value) in &global.values {
            if GLOBAL.contains(key) {
                continue;
            }
            add(key, value, &mut keys);
        }
        for entry in self.entries() {
            for (key, value) in &entry.values {
                if !ENTRY.contains(key) && !EXECUTORS.contains(key) {
                    add(&format!("runners.{key}"), value, &mut keys);
                }
            }
        }
        for (name, on) in self
            .runners()
            .iter()
            .flat_map(|runner| &runner.feature_flags)
        {
            // One that has its default changes nothing.
            let idle = Flag::by_name(name)
                .is_some_and(|flag| *on != flag.default_value() && !flag.has_effect());
            if idle {
                note(format!("runners.feature_flags.{name}"), &mut keys);
            }
        }
        keys
    }
}

fn note(key: String, keys: &mut Vec<String>) {
    if !keys.contains(&key) {
        keys.push(key);
    }
}

fn add(path: &str, value: &Value, keys: &mut Vec<String>) {
    let section = |section: &Section, keys: &mut Vec<String>| {
        for (key, value) in &section.values {
            add(&format!("{path}.{key}"), value, keys);
        }
        for key in section.free.keys() {
            note(format!("{path}.{key}"), keys);
        }
    };
    let is_set = match value {
        Value::Table(table) => return section(table, keys),
        Value::Tables(tables) => return tables.iter().for_each(|table| section(table, keys)),
        Value::Text(text) => !text.is_empty(),
        Value::Integer(number) | Value::Duration(number) => *number != 0,
        Value::Float(number) => *number != 0.0,
        Value::Boolean(on) => *on,
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Time(_) | Value::Raw(_) => true,
    };
    if is_set && !INNER.contains(&path) {
        note(path.to_owned(), keys);
    }
}
