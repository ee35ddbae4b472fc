//! Where systemd keeps units, and calls of `systemctl`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::unit::Unit;

/// Whether a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Stopped,
    Unknown,
}

/// A systemd: the machine's or a user's own.
#[derive(Clone, Debug)]
pub(super) struct Systemd {
    /// Folder of unit files.
    pub(super) units: PathBuf,
    /// `systemctl`.
    pub(super) program: PathBuf,
    /// The user's own.
    pub(super) for_user: bool,
}

impl Systemd {
    /// The one of this machine. An error says that there is none.
    pub(super) fn of_this_machine(for_user: bool) -> Result<Systemd, String> {
        if !Path::new("/run/systemd/system").is_dir() {
            return Err(format!(
                "not supported on this system ({}): no systemd runs here; start `gitlab-runner run` by the means of this system",
                crate::host::platform()
            ));
        }
        let units = if for_user {
            let home = std::env::var_os("XDG_CONFIG_HOME")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
                .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))
                .ok_or("HOME is not set; it holds the units of a user's services")?;
            home.join("systemd/user")
        } else {
            PathBuf::from("/etc/systemd/system")
        };
        Ok(Systemd {
            units,
            program: PathBuf::from("systemctl"),
            for_user,
        })
    }

    fn unit_file(&self, name: &str) -> PathBuf {
        self.units.join(format!("{name}.service"))
    }

    /// Runs `systemctl` with these arguments; gives exit code 0 or not, and what it printed.
    fn systemctl(&self, arguments: &[&str]) -> Result<(bool, String), String> {
        let mut command = Command::new(&self.program);
        if self.for_user {
            command.arg("--user");
        }
        let output = command
            .args(arguments)
            .output()
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        let text = if output.stdout.is_empty() {
            &output.stderr
        } else {
            &output.stdout
        };
        Ok((
            output.status.success(),
            String::from_utf8_lossy(text).trim().to_owned(),
        ))
    }

    fn must(&self, arguments: &[&str]) -> Result<(), String> {
        match self.systemctl(arguments)? {
            (true, _) => Ok(()),
            (false, text) => Err(format!("systemctl {}: {text}", arguments.join(" "))),
        }
    }

    /// Writes the unit and enables it.
    pub(super) fn install(&self, unit: &Unit) -> Result<(), String> {
        let path = self.unit_file(&unit.name);
        if path.exists() {
            return Err(format!(
                "{} is there already; `gitlab-runner uninstall` removes it",
                path.display()
            ));
        }
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        fs::create_dir_all(&self.units).map_err(failed)?;
        let mut file = fs::File::create_new(&path).map_err(failed)?;
        file.write_all(unit.text(self.for_user).as_bytes())
            .map_err(failed)?;
        self.must(&["daemon-reload"])?;
        self.must(&["enable", &format!("{}.service", unit.name)])
    }

    fn known(&self, name: &str) -> Result<(), String> {
        if self.unit_file(name).exists() {
            return Ok(());
        }
        // A distribution's package keeps its unit elsewhere.
        match self.systemctl(&["cat", &format!("{name}.service")])? {
            (true, _) => Ok(()),
            (false, _) => Err("the service is not installed".to_owned()),
        }
    }

    /// Disables the unit and removes it.
    pub(super) fn uninstall(&self, name: &str) -> Result<(), String> {
        self.known(name)?;
        self.must(&["disable", &format!("{name}.service")])?;
        let path = self.unit_file(name);
        fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        self.must(&["daemon-reload"])
    }

    /// `start`, `stop` or `restart`.
    pub(super) fn act(&self, verb: &str, name: &str) -> Result<(), String> {
        self.known(name)?;
        self.must(&[verb, &format!("{name}.service")])
    }

    /// Whether it runs; an error if it is not installed.
    pub(super) fn state(&self, name: &str) -> Result<State, String> {
        let (_, text) = self.systemctl(&["is-active", &format!("{name}.service")])?;
        match text.as_str() {
            "active" | "activating" | "reloading" => Ok(State::Running),
            "inactive" | "failed" | "deactivating" => {
                self.known(name)?;
                Ok(State::Stopped)
            }
            _ => {
                self.known(name)?;
                Ok(State::Unknown)
            }
        }
    }
}
