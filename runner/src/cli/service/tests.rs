//! A `systemctl` that writes down how it was called and answers from a file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::systemd::{State, Systemd};
use super::unit::Unit;

struct Machine {
    folder: tempfile::TempDir,
    systemd: Systemd,
}

impl Machine {
    fn new(for_user: bool) -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("systemctl");
        let text = format!(
            "#!/bin/sh\necho \"$*\" >>'{0}/calls'\nlast=\nfor word; do last=$word; done\ncase \"$*\" in\n  *is-active*) cat '{0}/state'; [ \"$(cat '{0}/state')\" = active ];;\n  *cat*) exit 1;;\nesac\n",
            folder.path().display()
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let systemd = Systemd {
            units: folder.path().join("units"),
            program,
            for_user,
        };
        Machine { folder, systemd }
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn is(&self, state: &str) {
        fs::write(self.folder.path().join("state"), state).unwrap();
    }
}

fn unit() -> Unit {
    Unit {
        name: "gitlab-runner".to_owned(),
        executable: PathBuf::from("/usr/bin/gitlab-runner"),
        config: PathBuf::from("/etc/gitlab-runner/config.toml"),
        working_directory: PathBuf::from("/home/gitlab-runner"),
        syslog: false,
        user: "gitlab-runner".to_owned(),
        init_user: String::new(),
    }
}

/// What the unit runs, and when it starts again.
#[test]
fn the_unit_runs_the_manager() {
    let text = unit().text(false);
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "After=network.target",
        "Restart=always",
        "WantedBy=multi-user.target",
        "ExecStart=\"/usr/bin/gitlab-runner\" \"run\" \"--config\" \"/etc/gitlab-runner/config.toml\" \"--working-directory\" \"/home/gitlab-runner\" \"--service\" \"gitlab-runner\" \"--user\" \"gitlab-runner\"",
    ] {
        assert!(lines.contains(&line), "{line} in {text}");
    }
    assert!(!text.contains("User="), "{text}");
    let own = Unit {
        user: String::new(),
        init_user: "ci".to_owned(),
        working_directory: PathBuf::from("/srv/100% \"sure\" $HOME"),
        syslog: true,
        ..unit()
    };
    let text = own.text(true);
    assert!(text.contains("\nUser=ci\n"), "{text}");
    assert!(
        text.contains("\"/srv/100%% \\\"sure\\\" $$HOME\""),
        "{text}"
    );
    assert!(text.contains("\"--syslog\""), "{text}");
    assert!(text.contains("WantedBy=default.target"), "{text}");
}

/// The whole life of a service.
#[test]
fn a_service_is_installed_used_and_removed() {
    let machine = Machine::new(false);
    let systemd = &machine.systemd;
    systemd.install(&unit()).unwrap();
    let file = systemd.units.join("gitlab-runner.service");
    assert_eq!(fs::read_to_string(&file).unwrap(), unit().text(false));
    let again = systemd.install(&unit()).unwrap_err();
    assert!(again.contains("is there already"), "{again}");
    for verb in ["start", "restart", "stop"] {
        systemd.act(verb, "gitlab-runner").unwrap();
    }
    systemd.uninstall("gitlab-runner").unwrap();
    assert!(!file.exists());
    assert_eq!(
        machine.calls(),
        [
            "daemon-reload",
            "enable gitlab-runner.service",
            "start gitlab-runner.service",
            "restart gitlab-runner.service",
            "stop gitlab-runner.service",
            "disable gitlab-runner.service",
            "daemon-reload"
        ]
    );
    for result in [
        systemd.uninstall("gitlab-runner"),
        systemd.act("start", "gitlab-runner"),
    ] {
        assert_eq!(result.unwrap_err(), "the service is not installed");
    }
}

/// A user's own systemd is asked with `--user`.
///
/// Proves RUN-CLI-22.
#[test]
fn the_state_is_running_only_when_it_is_active() {
    let machine = Machine::new(true);
    let systemd = &machine.systemd;
    systemd.install(&unit()).unwrap();
    for (text, state) in [
        ("active", State::Running),
        ("inactive", State::Stopped),
        ("failed", State::Stopped),
        ("maintenance", State::Unknown),
    ] {
        machine.is(text);
        assert_eq!(systemd.state("gitlab-runner").unwrap(), state, "{text}");
    }
    machine.is("inactive");
    let error = systemd.state("other").unwrap_err();
    assert_eq!(error, "the service is not installed");
    assert!(
        machine
            .calls()
            .iter()
            .all(|call| call.starts_with("--user "))
    );
}

/// Proves RUN-CLI-23.
#[test]
fn root_must_say_who_runs_the_service() {
    for (root, user, init_user, good) in [
        (true, "", "", false),
        (true, "a", "", true),
        (true, "", "a", true),
        (true, "a", "b", false),
        (false, "", "", true),
        (false, "a", "b", false),
    ] {
        let seen = super::check_users(root, user, init_user);
        assert_eq!(
            seen.is_ok(),
            good,
            "{root} {user:?} {init_user:?}: {seen:?}"
        );
    }
    assert_eq!(
        super::check_users(true, "", ""),
        Err("Please specify user that will run gitlab-runner service")
    );
}
