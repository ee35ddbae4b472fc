//! Service commands and completion (runner.md 2.6), as far as they touch nothing of the machine.

use super::support::Desk;

/// Proves RUN-CLI-23.
#[tokio::test]
async fn root_must_say_who_runs_the_service() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: only root has to; the rule itself has a test of its own");
        return;
    }
    let desk = Desk::new().await;
    let config = desk.config();
    desk.run(&["install", "-c", &config])
        .ended(1)
        .says("FATAL: Please specify user that will run gitlab-runner service");
    desk.run(&["install", "-c", &config, "--user", "a", "--init-user", "b"])
        .ended(1);
    desk.run(&["install", "-c", &config, "--init-user", "no such user"])
        .ended(1)
        .says("FATAL: Failed to install gitlab-runner: user no such user is not known on this machine");
    assert!(!desk.path("config.toml").exists());
}

/// A service that is not there: with systemd or without, `status` fails on stderr.
///
/// Proves RUN-CLI-22.
#[tokio::test]
async fn an_absent_service_does_not_run() {
    let desk = Desk::new().await;
    let name = "gauntlet-test-absent";
    let ran = desk.run(&["status", "-n", name]).ended(1);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr
            .lines()
            .any(|line| line.starts_with(&format!("{name}: "))),
        "{ran:?}"
    );
    for command in ["start", "stop", "restart", "uninstall"] {
        let log = desk.run(&[command, "-n", name]).ended(1).log();
        let line = format!("FATAL: Failed to {command} {name}: ");
        assert!(log.contains(&line), "{log}");
        let systemd = std::path::Path::new("/run/systemd/system").is_dir();
        assert!(
            systemd || log.contains("not supported on this system"),
            "{log}"
        );
    }
}

/// Each script knows commands and options of this very program.
#[tokio::test]
async fn completion_scripts_know_the_options() {
    let desk = Desk::new().await;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = desk.run(&["completion", shell]).ended(0);
        for word in [
            "register",
            "template-config",
            "docker-image",
            "run-single",
            "working-directory",
        ] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
    let script = desk.run(&["completion", "bash"]).stdout;
    let path = desk.write("completion.bash", &script);
    let status = std::process::Command::new("bash")
        .args(["-n", &path])
        .status()
        .unwrap();
    assert!(status.success());
    desk.run(&["completion"])
        .ended(1)
        .says("FATAL: completion: name a shell: bash, zsh, fish, elvish or powershell");
}
