//! The commands with their options (runner.md 2.2, 2.3, 2.6), and the options before the command.

use std::ffi::OsString;

use super::super::{
    Failure, completion, lint, list, register, reset_token, run, run_single, service, unregister,
    verify,
};
use super::{Given, Holds, Opt, entry};
use crate::logging::Log;

/// A command line that has been read.
#[derive(Debug)]
pub(in crate::cli) struct Invocation {
    pub(in crate::cli) given: Given,
    /// The options of the command.
    pub(in crate::cli) options: Vec<Opt>,
    pub(in crate::cli) log: Log,
    /// What stands behind the command and does not begin with a dash: arguments, and values that stand
    /// apart from their option.
    pub(in crate::cli) words: Vec<String>,
}

impl Invocation {
    /// `--config`, else the default.
    pub(in crate::cli) fn config(&self) -> std::path::PathBuf {
        match self.given.text("config") {
            "" => crate::config::default_path(),
            path => OsString::from(path).into(),
        }
    }
}

/// A command.
pub(in crate::cli) struct Command {
    pub(in crate::cli) name: &'static str,
    pub(in crate::cli) about: &'static str,
    pub(in crate::cli) options: fn() -> Vec<Opt>,
    pub(in crate::cli) run: fn(&Invocation) -> Result<(), Failure>,
}

/// All commands, in the order of the help.
pub(in crate::cli) const COMMANDS: &[Command] = &[
    Command {
        name: "list",
        about: "List all configured runners",
        options: config_only,
        run: list::list,
    },
    Command {
        name: "lint",
        about: "Check syntax and keys of a configuration file",
        options: config_only,
        run: lint::lint,
    },
    Command {
        name: "register",
        about: "Register a new runner",
        options: register_options,
        run: register::register,
    },
    Command {
        name: "reset-token",
        about: "Reset a runner's token",
        options: reset_token_options,
        run: reset_token::reset_token,
    },
    Command {
        name: "run",
        about: "Run jobs of all configured runners",
        options: run_options,
        run: run::run,
    },
    Command {
        name: "run-single",
        about: "Run jobs of one runner",
        options: run_single_options,
        run: run_single::run_single,
    },
    Command {
        name: "unregister",
        about: "Unregister a runner",
        options: unregister_options,
        run: unregister::unregister,
    },
    Command {
        name: "verify",
        about: "Verify all registered runners",
        options: verify_options,
        run: verify::verify,
    },
    Command {
        name: "install",
        about: "Install the service",
        options: install_options,
        run: service::install,
    },
    Command {
        name: "uninstall",
        about: "Uninstall the service",
        options: service_options,
        run: service::uninstall,
    },
    Command {
        name: "start",
        about: "Start the service",
        options: service_options,
        run: service::start,
    },
    Command {
        name: "stop",
        about: "Stop the service",
        options: service_options,
        run: service::stop,
    },
    Command {
        name: "restart",
        about: "Restart the service",
        options: service_options,
        run: service::restart,
    },
    Command {
        name: "status",
        about: "Say whether the service runs",
        options: service_options,
        run: service::status,
    },
    Command {
        name: "completion",
        about: "Print a completion script: completion bash, zsh, fish, elvish or powershell",
        options: Vec::new,
        run: completion::completion,
    },
];

const ON: Holds = Holds::Switch { empty_is_on: true };

/// Options before the command.
pub(in crate::cli) fn global() -> Vec<Opt> {
    let switch = Holds::Switch { empty_is_on: false };
    vec![
        Opt::new(
            "cpuprofile",
            "CPU_PROFILE",
            Holds::Text,
            "Not supported by this runner",
        ),
        Opt::new(
            "debug",
            "RUNNER_DEBUG",
            switch,
            "Level debug, whatever else is set",
        ),
        Opt::new(
            "log-format",
            "LOG_FORMAT",
            Holds::Text,
            "Format of the log: runner, text, json",
        ),
        Opt::new(
            "log-level, l",
            "LOG_LEVEL",
            Holds::Text,
            "Level of the log: debug, info, warn, error, fatal, panic",
        ),
        Opt::new("version, v", "", switch, "Print the version"),
    ]
}

fn config() -> Opt {
    Opt::new(
        "c, config",
        "CONFIG_FILE",
        Holds::Text,
        "Configuration file",
    )
    .default(format!(
        "{:?}",
        crate::config::default_path().display().to_string()
    ))
}

fn config_only() -> Vec<Opt> {
    vec![config()]
}

fn service_name() -> Opt {
    Opt::new("n, service", "", Holds::Text, "Name of the service").default("\"gitlab-runner\"")
}

fn run_options() -> Vec<Opt> {
    vec![
        Opt::new(
            "listen-address",
            "LISTEN_ADDRESS",
            Holds::Text,
            "Address of metrics and debug endpoints",
        ),
        config(),
        service_name(),
        Opt::new(
            "d, working-directory",
            "",
            Holds::Text,
            "Directory to work in",
        ),
        Opt::new("u, user", "", Holds::Text, "User that scripts run as"),
        Opt::new(
            "syslog",
            "LOG_SYSLOG",
            ON,
            "Log to syslog (not supported by this runner)",
        ),
    ]
}

/// Options that tell which runner at which server.
fn server(token_help: &str) -> Vec<Opt> {
    vec![
        Opt::new(
            "name, description",
            "RUNNER_NAME",
            Holds::Text,
            "Name of the runner",
        ),
        Opt::new("u, url", "CI_SERVER_URL", Holds::Text, "URL of GitLab"),
        Opt::new("t, token", "CI_SERVER_TOKEN", Holds::Text, token_help),
        Opt::new(
            "executor",
            "RUNNER_EXECUTOR",
            Holds::Text,
            "Executor, for example shell",
        ),
    ]
}

fn run_single_options() -> Vec<Opt> {
    let mut options = server("Token of the runner");
    options.extend([
        config(),
        Opt::new(
            "wait-timeout",
            "",
            Holds::Integer,
            "Seconds to wait for the first job; 0: for ever",
        ),
        Opt::new(
            "max-builds",
            "",
            Holds::Integer,
            "Jobs to run before it ends; 0: no limit",
        ),
        Opt::new(
            "r, runner",
            "",
            Holds::Text,
            "Name of an entry of the file, instead of options",
        ),
    ]);
    options.extend(entry::options());
    options
}

fn register_options() -> Vec<Opt> {
    let legacy = "; registration tokens only";
    let mut options = vec![
        Opt::new(
            "template-config",
            "TEMPLATE_CONFIG_FILE",
            Holds::Text,
            "File with one [[runners]] entry that fills what is not given",
        ),
        config(),
        Opt::new(
            "tag-list",
            "RUNNER_TAG_LIST",
            Holds::Text,
            &format!("Tags, separated by commas{legacy}"),
        ),
        Opt::new(
            "n, non-interactive",
            "REGISTER_NON_INTERACTIVE",
            ON,
            "Ask nothing",
        ),
        Opt::new(
            "leave-runner",
            "REGISTER_LEAVE_RUNNER",
            ON,
            "Leave the runner registered when the rest fails",
        ),
        Opt::new(
            "r, registration-token",
            "REGISTRATION_TOKEN",
            Holds::Text,
            "Registration token (deprecated)",
        ),
        Opt::new(
            "run-untagged",
            "REGISTER_RUN_UNTAGGED",
            ON,
            &format!("Run jobs without tags; on when there are no tags{legacy}"),
        ),
        Opt::new(
            "locked",
            "REGISTER_LOCKED",
            ON,
            &format!("Lock the runner to its project; on by default{legacy}"),
        ),
        Opt::new(
            "access-level",
            "REGISTER_ACCESS_LEVEL",
            Holds::Text,
            &format!("not_protected or ref_protected{legacy}"),
        ),
        Opt::new(
            "maximum-timeout",
            "REGISTER_MAXIMUM_TIMEOUT",
            Holds::Integer,
            &format!("Longest job timeout in seconds{legacy}"),
        ),
        Opt::new(
            "paused",
            "REGISTER_PAUSED",
            ON,
            &format!("Take no jobs yet{legacy}"),
        ),
        Opt::new(
            "maintenance-note",
            "REGISTER_MAINTENANCE_NOTE",
            Holds::Text,
            &format!("Note for administrators{legacy}"),
        ),
    ];
    options.extend(server("Authentication token of the runner"));
    options.extend(entry::options());
    options
}

/// Options that select an entry; they read no variables (RUN-CLI-16).
fn verify_options() -> Vec<Opt> {
    vec![
        config(),
        Opt::new("n, name", "", Holds::Text, "Name of the runner"),
        Opt::new("u, url", "", Holds::Text, "URL of the runner"),
        Opt::new("t, token", "", Holds::Text, "Token of the runner"),
        Opt::new("delete", "", ON, "Delete entries whose runners are gone"),
    ]
}

fn unregister_options() -> Vec<Opt> {
    vec![
        config(),
        Opt::new("n, name", "", Holds::Text, "Name of the runner"),
        Opt::new(
            "u, url",
            "CI_SERVER_URL",
            Holds::Text,
            "URL of the runner; selects nothing",
        ),
        Opt::new(
            "t, token",
            "CI_SERVER_TOKEN",
            Holds::Text,
            "Token of the runner",
        ),
        Opt::new("all-runners", "", ON, "Unregister all runners"),
    ]
}

fn reset_token_options() -> Vec<Opt> {
    vec![
        config(),
        Opt::new("n, name", "", Holds::Text, "Name of the runner"),
        Opt::new("u, url", "", Holds::Text, "URL of the runner, with --id"),
        Opt::new("i, id", "", Holds::Integer, "Id of the runner, with --url"),
        Opt::new("all-runners", "", ON, "Reset the tokens of all runners"),
        Opt::new(
            "pat",
            "",
            Holds::Text,
            "Personal access token to use instead of the old token",
        ),
    ]
}

fn service_options() -> Vec<Opt> {
    let mut options = vec![service_name()];
    if !nix::unistd::Uid::effective().is_root() {
        options.push(Opt::new(
            "user-service",
            "",
            ON,
            "The service of this user's own systemd",
        ));
    }
    options
}

fn install_options() -> Vec<Opt> {
    let mut options = service_options();
    options.extend([
        Opt::new(
            "d, working-directory",
            "",
            Holds::Text,
            "Directory to work in",
        )
        .default("the current one"),
        config(),
        Opt::new("syslog", "", ON, "Pass --syslog to run"),
    ]);
    if nix::unistd::Uid::effective().is_root() {
        options.extend([
            Opt::new("u, user", "", Holds::Text, "User that scripts run as"),
            Opt::new(
                "i, init-user",
                "",
                Holds::Text,
                "User that the service itself runs as",
            ),
        ]);
    }
    options
}
