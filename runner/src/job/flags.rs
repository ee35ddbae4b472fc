use std::collections::BTreeMap;

use super::settings::parse_bool;

macro_rules! flags {
    ($($variant:ident = $name:literal, $default:literal;)*) => {
        /// A feature flag of the runner (runner.md 14).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is the flag's own name; runner.md 14 says what it does")]
        pub enum Flag {
            $($variant,)*
        }

        impl Flag {
            /// All flags in the official runner's order, which is that of the exports in job scripts.
            pub const ALL: &'static [Flag] = &[$(Flag::$variant),*];

            /// Name as a variable.
            pub fn name(self) -> &'static str {
                match self {
                    $(Flag::$variant => $name,)*
                }
            }

            /// Value when nobody sets it.
            pub fn default_value(self) -> bool {
                match self {
                    $(Flag::$variant => $default,)*
                }
            }

            /// The flag called `name`.
            pub fn by_name(name: &str) -> Option<Flag> {
                match name {
                    $($name => Some(Flag::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

flags! {
    TestFeature = "FF_TEST_FEATURE", false;
    NetworkPerBuild = "FF_NETWORK_PER_BUILD", false;
    UseLegacyKubernetesExecutionStrategy = "FF_USE_LEGACY_KUBERNETES_EXECUTION_STRATEGY", false;
    UseDirectDownload = "FF_USE_DIRECT_DOWNLOAD", true;
    UseFastzip = "FF_USE_FASTZIP", true;
    DisableUmaskForDockerExecutor = "FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR", false;
    EnableBashExitCodeCheck = "FF_ENABLE_BASH_EXIT_CODE_CHECK", false;
    UseWindowsLegacyProcessStrategy = "FF_USE_WINDOWS_LEGACY_PROCESS_STRATEGY", false;
    UseLegacyBashEval = "FF_USE_LEGACY_BASH_EVAL", false;
    UsePowershellPathResolver = "FF_USE_POWERSHELL_PATH_RESOLVER", false;
    UseDynamicTraceForceSendInterval = "FF_USE_DYNAMIC_TRACE_FORCE_SEND_INTERVAL", false;
    ScriptSections = "FF_SCRIPT_SECTIONS", false;
    EnableJobCleanup = "FF_ENABLE_JOB_CLEANUP", false;
    KubernetesHonorEntrypoint = "FF_KUBERNETES_HONOR_ENTRYPOINT", false;
    PosixlyCorrectEscapes = "FF_POSIXLY_CORRECT_ESCAPES", false;
    ResolveFullTlsChain = "FF_RESOLVE_FULL_TLS_CHAIN", false;
    DisablePowershellStdin = "FF_DISABLE_POWERSHELL_STDIN", false;
    UsePodActiveDeadlineSeconds = "FF_USE_POD_ACTIVE_DEADLINE_SECONDS", true;
    UseAdvancedPodSpecConfiguration = "FF_USE_ADVANCED_POD_SPEC_CONFIGURATION", false;
    SecretResolvingFailsIfMissing = "FF_SECRET_RESOLVING_FAILS_IF_MISSING", true;
    PrintPodEvents = "FF_PRINT_POD_EVENTS", false;
    UseGitBundleUris = "FF_USE_GIT_BUNDLE_URIS", true;
    UseGitNativeClone = "FF_USE_GIT_NATIVE_CLONE", false;
    UseDumbInitWithKubernetesExecutor = "FF_USE_DUMB_INIT_WITH_KUBERNETES_EXECUTOR", false;
    UseInitWithDockerExecutor = "FF_USE_INIT_WITH_DOCKER_EXECUTOR", false;
    LogImagesConfiguredForJob = "FF_LOG_IMAGES_CONFIGURED_FOR_JOB", false;
    UseDockerAutoscalerDialStdio = "FF_USE_DOCKER_AUTOSCALER_DIAL_STDIO", true;
    CleanUpFailedCacheExtract = "FF_CLEAN_UP_FAILED_CACHE_EXTRACT", false;
    UseWindowsJobObject = "FF_USE_WINDOWS_JOB_OBJECT", false;
    Timestamps = "FF_TIMESTAMPS", true;
    DisableAutomaticTokenRotation = "FF_DISABLE_AUTOMATIC_TOKEN_ROTATION", false;
    UseLegacyGcsCacheAdapter = "FF_USE_LEGACY_GCS_CACHE_ADAPTER", false;
    DisableUmaskForKubernetesExecutor = "FF_DISABLE_UMASK_FOR_KUBERNETES_EXECUTOR", false;
    UseLegacyS3CacheAdapter = "FF_USE_LEGACY_S3_CACHE_ADAPTER", false;
    GitUrlsWithoutTokens = "FF_GIT_URLS_WITHOUT_TOKENS", false;
    WaitForPodToBeReachable = "FF_WAIT_FOR_POD_TO_BE_REACHABLE", false;
    MaskAllDefaultTokens = "FF_MASK_ALL_DEFAULT_TOKENS", true;
    ExportHighCardinalityMetrics = "FF_EXPORT_HIGH_CARDINALITY_METRICS", false;
    UseFleetingAcquireHeartbeats = "FF_USE_FLEETING_ACQUIRE_HEARTBEATS", false;
    UseExponentialBackoffStageRetry = "FF_USE_EXPONENTIAL_BACKOFF_STAGE_RETRY", true;
    UseAdaptiveRequestConcurrency = "FF_USE_ADAPTIVE_REQUEST_CONCURRENCY", true;
    UseGitalyCorrelationId = "FF_USE_GITALY_CORRELATION_ID", true;
    UseGitProactiveAuth = "FF_USE_GIT_PROACTIVE_AUTH", false;
    HashCacheKeys = "FF_HASH_CACHE_KEYS", false;
    EnableJobInputsInterpolation = "FF_ENABLE_JOB_INPUTS_INTERPOLATION", true;
    UseJobRouter = "FF_USE_JOB_ROUTER", false;
    ScriptToStepMigration = "FF_SCRIPT_TO_STEP_MIGRATION", false;
    UseParallelCacheTransfer = "FF_USE_PARALLEL_CACHE_TRANSFER", false;
    UseParallelArtifactTransfer = "FF_USE_PARALLEL_ARTIFACT_TRANSFER", false;
    Concrete = "FF_CONCRETE", false;
    SuspendableEnvironments = "FF_SUSPENDABLE_ENVIRONMENTS", false;
    UseNativeContainerStop = "FF_USE_NATIVE_CONTAINER_STOP", false;
}

impl Flag {
    /// Whether this runner acts on the flag. Those of executors and caches that are not there have
    /// no effect.
    pub fn has_effect(self) -> bool {
        matches!(
            self,
            Flag::DisableAutomaticTokenRotation
                | Flag::EnableBashExitCodeCheck
                | Flag::EnableJobCleanup
                | Flag::EnableJobInputsInterpolation
                | Flag::ExportHighCardinalityMetrics
                | Flag::GitUrlsWithoutTokens
                | Flag::MaskAllDefaultTokens
                | Flag::PosixlyCorrectEscapes
                | Flag::ScriptSections
                | Flag::Timestamps
                | Flag::UseAdaptiveRequestConcurrency
                | Flag::UseDirectDownload
                | Flag::UseDynamicTraceForceSendInterval
                | Flag::UseExponentialBackoffStageRetry
                | Flag::UseGitBundleUris
                | Flag::UseGitNativeClone
                | Flag::UseGitProactiveAuth
                | Flag::UseGitalyCorrelationId
                | Flag::UseJobRouter
                | Flag::UseLegacyBashEval
                | Flag::UseParallelArtifactTransfer
        )
    }
}

/// The resolved values of all flags for one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    values: BTreeMap<Flag, bool>,
}

impl Default for Flags {
    fn default() -> Self {
        Flags {
            values: Flag::ALL
                .iter()
                .map(|&flag| (flag, flag.default_value()))
                .collect(),
        }
    }
}

impl Flags {
    /// Resolves all flags: configuration, then job variable, then `environment`, then default
    /// (runner.md 8, RUN-VAR-02). `job` gives the value of a variable of the job or, failing that, of
    /// the configuration's `environment`. A text that is no Boolean leaves the default and adds a
    /// warning.
    pub fn resolve<'a>(
        config: &BTreeMap<String, bool>,
        job: impl Fn(&str) -> Option<&'a str>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let mut flags = Flags::default();
        for &flag in Flag::ALL {
            if let Some(&on) = config.get(flag.name()) {
                flags.values.insert(flag, on);
                continue;
            }
            let Some(text) = job(flag.name()).filter(|text| !text.is_empty()) else {
                continue;
            };
            if let Some(on) = parse_bool(text) {
                flags.values.insert(flag, on);
            } else {
                // The official runner says it twice; seen in the recording `stamps` (job 3004).
                let warning = format!(
                    "{}: could not parse feature flag, expected bool, got {text}",
                    flag.name()
                );
                warnings.extend([warning.clone(), warning]);
            }
        }
        flags
    }

    /// Flags that differ from their default although this runner does not act on them, without those that
    /// `config` sets, which are named when it is loaded. For the process log.
    pub fn without_effect(&self, config: &BTreeMap<String, bool>) -> Vec<&'static str> {
        self.values
            .iter()
            .filter(|&(flag, &on)| on != flag.default_value() && !flag.has_effect())
            .map(|(flag, _)| flag.name())
            .filter(|name| !config.contains_key(*name))
            .collect()
    }

    /// Whether `flag` is on.
    pub fn is_on(&self, flag: Flag) -> bool {
        self.values
            .get(&flag)
            .copied()
            .unwrap_or_else(|| flag.default_value())
    }

    /// `A:true, B:false` for the flags that differ from their default, sorted by name; `None` if none
    /// does (RUN-FF-01).
    pub fn changed(&self) -> Option<String> {
        let mut changed: Vec<String> = self
            .values
            .iter()
            .filter(|&(flag, &on)| on != flag.default_value())
            .map(|(flag, on)| format!("{}:{on}", flag.name()))
            .collect();
        changed.sort();
        (!changed.is_empty()).then(|| changed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves RUN-VAR-02, RUN-FF-01.
    #[test]
    fn configuration_beats_job_beats_default() {
        assert_eq!(Flag::ALL.len(), 52);
        let config = BTreeMap::from([("FF_SCRIPT_SECTIONS".to_owned(), false)]);
        let mut warnings = Vec::new();
        let flags = Flags::resolve(
            &config,
            |name| match name {
                "FF_SCRIPT_SECTIONS" => Some("true"),
                "FF_TIMESTAMPS" => Some("0"),
                "FF_NETWORK_PER_BUILD" => Some("maybe"),
                "FF_USE_GIT_NATIVE_CLONE" => Some("T"),
                _ => None,
            },
            &mut warnings,
        );
        assert!(!flags.is_on(Flag::ScriptSections));
        assert_eq!(
            flags.changed().as_deref(),
            Some("FF_TIMESTAMPS:false, FF_USE_GIT_NATIVE_CLONE:true")
        );
        assert_eq!(
            warnings,
            ["FF_NETWORK_PER_BUILD: could not parse feature flag, expected bool, got maybe"; 2]
        );
    }

    /// Goal: a job that sets a flag which does nothing here is told of, once and by name.
    #[test]
    fn flags_of_a_job_without_effect() {
        let idle = Flag::NetworkPerBuild;
        assert!(!idle.has_effect());
        for (config, job, expected) in [
            (None, Some("true"), vec![idle.name()]),
            // Its default changes nothing.
            (None, Some("false"), vec![]),
            (None, None, vec![]),
            // Named when the file is loaded, whatever the job says.
            (Some(true), Some("true"), vec![]),
            (Some(true), None, vec![]),
        ] {
            let config = config.map(|on| (idle.name().to_owned(), on));
            let config: BTreeMap<String, bool> = config.into_iter().collect();
            let variable = |name: &str| match name {
                "FF_TIMESTAMPS" => Some("false"),
                name if name == idle.name() => job,
                _ => None,
            };
            let flags = Flags::resolve(&config, variable, &mut Vec::new());
            assert_eq!(
                flags.without_effect(&config),
                expected,
                "{config:?} {job:?}"
            );
        }
    }
}
