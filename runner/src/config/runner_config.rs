//! One `[[runners]]` entry, typed and with its defaults (runner.md 3.3).

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::encode::NO_TIME;
use super::error::ConfigError;
use super::labels;
use super::section::Section;

/// An entry as the manager and its jobs use it. `url` and `token` are expanded.
#[derive(Clone, Debug, PartialEq)]
pub struct RunnerConfig {
    /// `name`: label in logs and metrics.
    pub name: String,
    /// `limit`: jobs at a time; 0 = no limit.
    pub limit: u32,
    /// `output_limit`, bytes; 4 MiB by default.
    pub output_limit: u64,
    /// `request_concurrency`; at least 1.
    pub request_concurrency: u32,
    /// `strict_check_interval`: no poll at once after a job came.
    pub strict_check_interval: bool,
    /// `unhealthy_requests_limit`; 3 by default.
    pub unhealthy_requests_limit: u32,
    /// `unhealthy_interval`; 1 h by default.
    pub unhealthy_interval: Duration,
    /// `job_status_final_update_retry_limit`; 10 by default.
    pub final_update_retry_limit: u32,
    /// `url`.
    pub url: String,
    /// `id`; 0 = not known.
    pub id: i64,
    /// `token`.
    pub token: String,
    /// `token_obtained_at`, if known.
    pub token_obtained_at: Option<Timestamp>,
    /// `token_expires_at`; `None` = never.
    pub token_expires_at: Option<Timestamp>,
    /// `tls-ca-file`, or empty.
    pub tls_ca_file: String,
    /// `tls-cert-file`, or empty.
    pub tls_cert_file: String,
    /// `tls-key-file`, or empty.
    pub tls_key_file: String,
    /// `executor`.
    pub executor: String,
    /// `shell`, or empty.
    pub shell: String,
    /// `builds_dir`, or empty.
    pub builds_dir: String,
    /// `cache_dir`, or empty.
    pub cache_dir: String,
    /// `clone_url`, or empty.
    pub clone_url: String,
    /// `environment`.
    pub environment: Vec<String>,
    /// `pre_get_sources_script`, or empty.
    pub pre_get_sources_script: String,
    /// `post_get_sources_script`, or empty.
    pub post_get_sources_script: String,
    /// `pre_build_script`, or empty.
    pub pre_build_script: String,
    /// `post_build_script`, or empty.
    pub post_build_script: String,
    /// `prepare_timeout`; zero: the job's.
    pub prepare_timeout: Duration,
    /// `get_sources_timeout`; zero: the job's.
    pub get_sources_timeout: Duration,
    /// `debug_trace_disabled`.
    pub debug_trace_disabled: bool,
    /// `safe_directory_checkout`, if set.
    pub safe_directory_checkout: Option<bool>,
    /// `clean_git_config`, if set.
    pub clean_git_config: Option<bool>,
    /// `[runners.custom_build_dir].enabled`, if set.
    pub custom_build_dir: Option<bool>,
    /// `[runners.feature_flags]`.
    pub feature_flags: BTreeMap<String, bool>,
    /// Global labels and those of this entry.
    pub labels: BTreeMap<String, String>,
    /// `[runners.docker].gpus`, trimmed; sent in `info.config`.
    pub gpus: String,
}

/// A number that counts only when it is positive.
fn positive(number: i64, default: u32) -> u32 {
    u32::try_from(number)
        .ok()
        .filter(|number| *number > 0)
        .unwrap_or(default)
}

fn duration(section: &Section, key: &str) -> Duration {
    let nanos = section.duration(key).unwrap_or(0).max(0);
    Duration::from_nanos(nanos.unsigned_abs())
}

/// A time of the file; year 1 stands for none.
fn time(section: &Section, key: &str) -> Option<Timestamp> {
    let text = section.text(key);
    if text.is_empty() || text == NO_TIME {
        return None;
    }
    text.parse().ok()
}

impl RunnerConfig {
    pub(super) fn new(
        section: &Section,
        global_labels: &BTreeMap<String, String>,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<RunnerConfig, ConfigError> {
        let text = |key: &str| section.text(key).to_owned();
        let expanded = |key: &str| super::expand::expand_with(section.text(key), lookup);
        let own_labels = section.text_map("labels");
        labels::check(&own_labels, "runner").map_err(ConfigError::Invalid)?;
        let output_limit_kib = match section.integer("output_limit") {
            limit if limit > 0 => limit.unsigned_abs(),
            _ => 4096,
        };
        let interval = duration(section, "unhealthy_interval");
        Ok(RunnerConfig {
            name: text("name"),
            limit: positive(section.integer("limit"), 0),
            output_limit: output_limit_kib.saturating_mul(1024),
            request_concurrency: positive(section.integer("request_concurrency"), 1),
            strict_check_interval: section.boolean("strict_check_interval").unwrap_or(false),
            unhealthy_requests_limit: positive(section.integer("unhealthy_requests_limit"), 3),
            unhealthy_interval: if interval.is_zero() {
                Duration::from_hours(1)
            } else {
                interval
            },
            final_update_retry_limit: positive(
                section.integer("job_status_final_update_retry_limit"),
                10,
            ),
            url: expanded("url"),
            id: section.integer("id"),
            token: expanded("token"),
            token_obtained_at: time(section, "token_obtained_at"),
            token_expires_at: time(section, "token_expires_at"),
            tls_ca_file: text("tls-ca-file"),
            tls_cert_file: text("tls-cert-file"),
            tls_key_file: text("tls-key-file"),
            executor: text("executor"),
            shell: text("shell"),
            builds_dir: text("builds_dir"),
            cache_dir: text("cache_dir"),
            clone_url: text("clone_url"),
            environment: section.list("environment").to_vec(),
            pre_get_sources_script: text("pre_get_sources_script"),
            post_get_sources_script: text("post_get_sources_script"),
            pre_build_script: text("pre_build_script"),
            post_build_script: text("post_build_script"),
            prepare_timeout: duration(section, "prepare_timeout"),
            get_sources_timeout: duration(section, "get_sources_timeout"),
            debug_trace_disabled: section.boolean("debug_trace_disabled").unwrap_or(false),
            safe_directory_checkout: section.boolean("safe_directory_checkout"),
            clean_git_config: section.boolean("clean_git_config"),
            custom_build_dir: section
                .table("custom_build_dir")
                .and_then(|table| table.boolean("enabled")),
            feature_flags: section
                .map("feature_flags")
                .into_iter()
                .flatten()
                .map(|(name, form)| (name.clone(), form == "true"))
                .collect(),
            labels: labels::merge(global_labels, &own_labels).map_err(ConfigError::Invalid)?,
            gpus: section
                .table("docker")
                .map(|docker| docker.text("gpus").trim().to_owned())
                .unwrap_or_default(),
        })
    }
}
