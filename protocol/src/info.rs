//! The `info` object that a runner sends about itself (wire.md 3.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a runner says about itself; empty texts and labels are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// Always `gitlab-runner` for the official runner.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Version, such as `19.4.0`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Short revision.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Go's name of the operating system, such as `linux`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// Go's name of the architecture, such as `amd64`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// Executor; left out in a legacy registration.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub executor: String,
    /// Shell: configured, else the executor's default.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub shell: String,
    /// Capabilities; always all of them.
    pub features: Features,
    /// Configuration that the server wants to know.
    pub config: ConfigInfo,
    /// Runner labels, left out when empty.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// `info.config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigInfo {
    /// `[runners.docker].gpus`, trimmed.
    pub gpus: String,
}

macro_rules! features {
    ($($name:ident),* $(,)?) => {
        /// The 31 capabilities of a runner, in wire order (wire.md 3.1).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        #[expect(missing_docs, reason = "each is the name of the feature on the wire")]
        pub struct Features {
            $(pub $name: bool,)*
        }

        impl Features {
            /// Names in wire order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Whether the feature `name` is on; `None` for a name that does not exist.
            pub fn by_name(&self, name: &str) -> Option<bool> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }

            /// Switches feature `name`; `false` if there is no such feature.
            pub fn set(&mut self, name: &str, on: bool) -> bool {
                match name {
                    $(stringify!($name) => self.$name = on,)*
                    _ => return false,
                }
                true
            }
        }
    };
}

features! {
    variables, image, services, artifacts, cache, fallback_cache_keys, shared,
    upload_multiple_artifacts, upload_raw_artifacts, session, terminal, refspecs, masking, proxy,
    raw_variables, artifacts_exclude, multi_build_steps, trace_reset, trace_checksum, trace_size,
    vault_secrets, cancelable, return_exit_code, service_variables, service_multiple_aliases,
    image_executor_opts, service_executor_opts, cancel_gracefully, native_steps_integration,
    two_phase_job_commit, job_inputs,
}

impl Features {
    /// The seven features that are always on, also where no executor is known.
    pub fn always() -> Self {
        Features {
            trace_reset: true,
            trace_checksum: true,
            trace_size: true,
            cancelable: true,
            cancel_gracefully: true,
            two_phase_job_commit: true,
            job_inputs: true,
            ..Features::default()
        }
    }

    /// What any known shell adds.
    #[must_use]
    pub fn with_shell(self) -> Self {
        Features {
            artifacts: true,
            upload_multiple_artifacts: true,
            upload_raw_artifacts: true,
            cache: true,
            fallback_cache_keys: true,
            refspecs: true,
            masking: true,
            raw_variables: true,
            artifacts_exclude: true,
            multi_build_steps: true,
            vault_secrets: true,
            return_exit_code: true,
            ..self
        }
    }

    /// What a runner with this executor and a known shell announces; `None` for an executor that does
    /// not exist (wire.md 3.1, EXE-GEN-01).
    pub fn for_executor(executor: &str) -> Option<Self> {
        let known = Features::always().with_shell();
        let shared = Features {
            variables: true,
            shared: true,
            ..known
        };
        let containers = Features {
            variables: true,
            image: true,
            services: true,
            session: true,
            terminal: true,
            service_variables: true,
            service_multiple_aliases: true,
            image_executor_opts: true,
            native_steps_integration: true,
            ..known
        };
        Some(match executor {
            "shell" => Features {
                native_steps_integration: true,
                session: true,
                terminal: true,
                ..shared
            },
            "docker" | "docker+machine" | "docker-autoscaler" => Features {
                service_executor_opts: true,
                ..containers
            },
            "docker-windows" => Features {
                service_executor_opts: true,
                native_steps_integration: false,
                ..containers
            },
            "kubernetes" => Features {
                proxy: true,
                ..containers
            },
            "instance" => Features {
                native_steps_integration: true,
                ..shared
            },
            "custom" => Features {
                service_variables: true,
                ..shared
            },
            "ssh" => shared,
            "parallels" | "virtualbox" => Features {
                variables: true,
                ..known
            },
            _ => return None,
        })
    }

    /// What the shell executor on Unix has.
    pub fn shell_executor() -> Self {
        Features {
            variables: true,
            shared: true,
            native_steps_integration: true,
            session: true,
            terminal: true,
            ..Features::always().with_shell()
        }
    }
}
