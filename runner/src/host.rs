//! What the runner knows of itself and its machine, passed in so that a run can be repeated.

use std::path::PathBuf;

/// Behaviour level: the version of the official runner that this one follows.
pub const VERSION: &str = "19.4.0";
/// Tells this runner from the official one, where that shows its revision.
pub const REVISION: &str = "gauntlet";
/// Branch, as in the `User-Agent`.
pub const BRANCH: &str = "gauntlet";
/// Name on the wire.
pub const NAME: &str = "gitlab-runner";

/// The machine and process that a runner runs on.
#[derive(Clone, Debug)]
pub struct Host {
    /// Host name, as in `Running on <host>...`.
    pub hostname: String,
    /// Go's name of the operating system.
    pub platform: &'static str,
    /// Go's name of the architecture.
    pub architecture: &'static str,
    /// Where `builds` and `cache` stand by default.
    pub working_directory: PathBuf,
    /// This program, which generated scripts call for helper commands.
    pub executable: PathBuf,
    /// Id of this runner manager (`.runner_system_id`).
    pub system_id: String,
}

/// Go's name of the operating system that this was built for.
pub fn platform() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

/// Go's name of the architecture that this was built for.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `User-Agent` of API calls (WIRE-CON-03).
pub fn user_agent() -> String {
    format!(
        "{NAME} {VERSION} ({BRANCH}; rust; {}/{})",
        platform(),
        architecture()
    )
}
