//! `install`, `uninstall`, `start`, `stop`, `restart` and `status` (runner.md 2.6): the runner as a service of
//! systemd. On a system without it these commands say that it is not supported.
//!
//! - `unit`: the text of the unit file; `systemd`: where it stands, and calls of `systemctl`.

mod systemd;
#[cfg(test)]
mod tests;
mod unit;

use std::path::Path;

use super::Failure;
use super::options::commands::Invocation;
use crate::config::Config;
use systemd::{State, Systemd};
use unit::Unit;

/// `--service`.
fn name(invocation: &Invocation) -> &str {
    match invocation.given.text("service") {
        "" => "gitlab-runner",
        name => name,
    }
}

/// systemd, or why the command cannot do anything.
fn systemd(invocation: &Invocation) -> Result<Systemd, String> {
    Systemd::of_this_machine(invocation.given.switch("user-service"))
}

fn with(
    invocation: &Invocation,
    command: &str,
    work: impl FnOnce(&Systemd, &str) -> Result<(), String>,
) -> Result<(), Failure> {
    let name = name(invocation);
    systemd(invocation)
        .and_then(|systemd| work(&systemd, name))
        .map_err(|error| Failure::Fatal(format!("Failed to {command} {name}: {error}")))
}

/// Root has to say who runs the service (RUN-CLI-23).
fn check_users(root: bool, user: &str, init_user: &str) -> Result<(), &'static str> {
    match (user.is_empty(), init_user.is_empty()) {
        (false, false) => Err(
            "Only one of --user and --init-user can be given: the user that scripts run as, or the user that the service itself runs as",
        ),
        (true, true) if root => Err("Please specify user that will run gitlab-runner service"),
        _ => Ok(()),
    }
}

/// What the unit runs, and as whom.
fn unit(invocation: &Invocation) -> Result<Unit, Failure> {
    let given = &invocation.given;
    let fatal =
        |text: String| Failure::Fatal(format!("Failed to install {}: {text}", name(invocation)));
    let (user, init_user) = (given.text("user"), given.text("init-user"));
    check_users(nix::unistd::Uid::effective().is_root(), user, init_user)
        .map_err(|text| Failure::Fatal(text.to_owned()))?;
    let mut config = invocation.config();
    if !init_user.is_empty() {
        let account = nix::unistd::User::from_name(init_user)
            .map_err(|error| fatal(format!("user {init_user}: {error}")))?
            .ok_or_else(|| fatal(format!("user {init_user} is not known on this machine")))?;
        if given.text("config").is_empty() {
            config = account.dir.join("config.toml");
        }
    }
    let here =
        std::env::current_dir().map_err(|error| fatal(format!("working directory: {error}")))?;
    let executable =
        std::env::current_exe().map_err(|error| fatal(format!("own path: {error}")))?;
    let working_directory = match given.text("working-directory") {
        "" => here.clone(),
        path => here.join(path),
    };
    Ok(Unit {
        name: name(invocation).to_owned(),
        executable,
        config: here.join(config),
        working_directory,
        syslog: given.switch("syslog"),
        user: user.to_owned(),
        init_user: init_user.to_owned(),
    })
}

pub(super) fn install(invocation: &Invocation) -> Result<(), Failure> {
    let unit = unit(invocation)?;
    with(invocation, "install", |systemd, _| {
        systemd.install(&unit)?;
        make_config(&unit.config)
    })
}

/// A missing configuration is created, so that the service finds one.
fn make_config(path: &Path) -> Result<(), String> {
    if path.exists() {
        return Ok(());
    }
    Config::default()
        .save(path)
        .map_err(|error| error.to_string())
}

pub(super) fn uninstall(invocation: &Invocation) -> Result<(), Failure> {
    with(invocation, "uninstall", Systemd::uninstall)
}

pub(super) fn start(invocation: &Invocation) -> Result<(), Failure> {
    with(invocation, "start", |systemd, name| {
        systemd.act("start", name)
    })
}

pub(super) fn stop(invocation: &Invocation) -> Result<(), Failure> {
    with(invocation, "stop", |systemd, name| {
        systemd.act("stop", name)
    })
}

pub(super) fn restart(invocation: &Invocation) -> Result<(), Failure> {
    with(invocation, "restart", |systemd, name| {
        systemd.act("restart", name)
    })
}

/// Exit code 0 only when it runs (RUN-CLI-22).
pub(super) fn status(invocation: &Invocation) -> Result<(), Failure> {
    let name = name(invocation);
    let state = systemd(invocation).and_then(|systemd| systemd.state(name));
    let text = match state {
        Ok(State::Running) => {
            println!("{name}: Service is running");
            return Ok(());
        }
        Ok(State::Stopped) => "Service has stopped".to_owned(),
        Ok(State::Unknown) => "Service status unknown".to_owned(),
        Err(error) => error,
    };
    eprintln!("{name}: {text}");
    Err(Failure::Logged)
}
