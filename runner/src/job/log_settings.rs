//! What the log of a job must know before the job begins (runner.md 9.3, 9.4).

use protocol::JobPayload;

use super::environment;
use super::flags::Flag;
use super::request::JobConfig;
use super::settings::parse_bool;
use super::variables::{JobVariable, Variables};

/// Prefixes of GitLab's own tokens: always, and with `FF_MASK_ALL_DEFAULT_TOKENS` (runner.md 9.4).
const ALWAYS: [&str; 1] = ["glpat-"];
const DEFAULT_TOKENS: [&str; 14] = [
    "gloas-",
    "gldt-",
    "glrt-",
    "glcbt-",
    "glrtr-",
    "glptt-",
    "glft-",
    "glimt-",
    "glagent-",
    "glsoat-",
    "glffct-",
    "_gitlab_session=",
    "gltok-",
    "glpat-",
];

/// How the log of a job is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `FF_TIMESTAMPS`.
    pub timestamps: bool,
    /// Values that must not appear.
    pub phrases: Vec<String>,
    /// Token prefixes after which everything is hidden.
    pub token_prefixes: Vec<String>,
    /// `CI_DEBUG_TRACE` or `CI_DEBUG_SERVICES` is on, and allowed.
    pub debug_trace: bool,
    /// `FF_USE_DYNAMIC_TRACE_FORCE_SEND_INTERVAL`, from the configuration only.
    pub dynamic_force_send_interval: bool,
    /// Feature flags that the job sets and on which this runner does not act.
    pub idle_flags: Vec<&'static str>,
    /// `FF_EXPORT_HIGH_CARDINALITY_METRICS`: the time of each stage is measured.
    pub stage_metrics: bool,
}

impl LogSettings {
    /// For a log that holds nothing but a text of the runner's own.
    pub fn plain() -> Self {
        LogSettings {
            timestamps: false,
            phrases: Vec::new(),
            token_prefixes: Vec::new(),
            debug_trace: false,
            dynamic_force_send_interval: false,
            idle_flags: Vec::new(),
            stage_metrics: false,
        }
    }

    /// Reads them from a job and the entry that brought it. Odd flag values are warned about by the job
    /// itself, so nothing is said here.
    pub fn new(payload: &JobPayload, config: &JobConfig) -> Self {
        let flags = environment::flags(payload, config, &mut Vec::new());
        let list = payload.variables.as_slice().iter().map(JobVariable::from);
        let variables = Variables::new(list.collect(), String::new());
        let mut phrases = variables.masked_values();
        phrases.extend(variables.expanded().masked_values());
        phrases.sort_unstable();
        phrases.dedup();
        let is_on = |name: &str| parse_bool(&variables.get(name)).unwrap_or(false);
        let features = payload.features.get();
        let mut token_prefixes = features.token_mask_prefixes.get();
        if flags.is_on(Flag::MaskAllDefaultTokens) {
            token_prefixes.extend(DEFAULT_TOKENS.map(str::to_owned));
        } else {
            token_prefixes.extend(ALWAYS.map(str::to_owned));
        }
        let debug = is_on("CI_DEBUG_TRACE") || is_on("CI_DEBUG_SERVICES");
        LogSettings {
            timestamps: flags.is_on(Flag::Timestamps),
            phrases,
            token_prefixes,
            idle_flags: flags.without_effect(&config.feature_flags),
            stage_metrics: flags.is_on(Flag::ExportHighCardinalityMetrics),
            debug_trace: debug && !config.debug_trace_disabled,
            dynamic_force_send_interval: config
                .feature_flags
                .get(Flag::UseDynamicTraceForceSendInterval.name())
                .copied()
                .unwrap_or(false),
        }
    }
}
