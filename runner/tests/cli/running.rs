//! What `run` makes of its configuration, seen from outside (runner.md 3.1, 4.4).

use std::fs::File;
use std::time::SystemTime;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::support::{Desk, TOKEN, entry};

async fn idle(desk: &Desk) {
    desk.answer("POST", "/jobs/request", 204, Value::Null).await;
}

/// The file keeps its modification time, so only the signal can be the reason.
///
/// Proves RUN-CFG-08.
#[tokio::test]
async fn sighup_reads_the_file_again() {
    let desk = Desk::new().await;
    idle(&desk).await;
    let config = desk.write(
        "config.toml",
        &format!("concurrent = 1\n{}", entry("a", TOKEN)),
    );
    let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(24);
    let touch = |path: &str| {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(old)
            .unwrap();
    };
    touch(&config);
    let mut run = desk.start(&["run", "-c", &config]);
    run.wait_for("Configuration loaded  builds=0 max_builds=1");
    run.wait_for("Initializing executor providers");
    // Renamed into place, so that no half-written file is read.
    let new = desk.write(
        "new.toml",
        &format!("concurrent = 5\n{}", entry("b", TOKEN)),
    );
    touch(&new);
    std::fs::rename(&new, &config).unwrap();
    run.signal(Signal::SIGHUP);
    run.wait_for("Configuration loaded  builds=0 max_builds=5");
    // A broken one leaves the configuration in force as it is.
    desk.write("config.toml", "concurrent =\n");
    touch(&config);
    run.signal(Signal::SIGHUP);
    run.wait_for("ERROR: Failed to load config decoding configuration file: toml: line 1");
    run.quit();
}

/// Proves RUN-CFG-16.
#[tokio::test]
async fn a_legacy_suffix_is_named() {
    let desk = Desk::new().await;
    idle(&desk).await;
    let text = entry("plain", "t0")
        + &entry("ci", "t1").replace("URL", "URL/ci")
        + &entry("slash", "t2").replace("URL", "URL/ci/")
        + &entry("other", "t3").replace("URL", "URL/cicd");
    let config = desk.write("config.toml", &text);
    let mut run = desk.start(&["run", "-c", &config]);
    run.wait_for("Initializing executor providers");
    let log = run.quit();
    let warning = "WARNING: The runner URL contains a legacy '/ci' suffix.";
    assert_eq!(log.matches(warning).count(), 2, "{log}");
    for name in ["runner_name=ci", "runner_name=slash"] {
        let line = log.lines().find(|line| line.ends_with(name));
        assert!(
            line.is_some_and(|line| line.contains("#legacy-ci-url-suffix  runner=")),
            "{log}"
        );
    }
}

/// Proves RUN-CFG-01.
#[tokio::test]
async fn a_missing_file_is_an_empty_one() {
    let desk = Desk::new().await;
    let absent = desk.path("absent.toml");
    let config = runner::config::Config::load(&absent).unwrap();
    assert_eq!(config.runners().len(), 0);
    assert_eq!(config.concurrent(), 1);
    assert!(!absent.exists());
}

/// An entry without token is skipped; unknown keys and keys without effect are named, not swallowed.
///
/// Proves RUN-CFG-17.
#[tokio::test]
async fn odd_files_run() {
    let desk = Desk::new().await;
    idle(&desk).await;
    let text = format!(
        "colour = 1\nsentry_dsn = \"x\"\n{}[runners.cache]\nType = \"s3\"\n{}",
        entry("blank", " "),
        entry("good", TOKEN)
    );
    let config = desk.write("config.toml", &text);
    let mut run = desk.start(&["--log-level", "debug", "run", "-c", &config]);
    run.wait_for("Initializing executor providers");
    // Until the second round, so that the blank one has had its turn.
    for _ in 0..2 {
        run.wait_for("Processing runner");
    }
    let log = run.quit();
    assert!(log.contains("runners.cache.Type"), "{log}");
    assert!(
        log.contains("WARNING: Runner token is empty or whitespace"),
        "{log}"
    );
    assert!(
        log.contains("WARNING: The configuration has keys that no runner knows  keys=colour"),
        "{log}"
    );
    assert!(
        log.contains("WARNING: The configuration has keys that this runner does not act on  keys="),
        "{log}"
    );
    let seen = desk.seen().await;
    assert!(!seen.is_empty());
    assert!(
        seen.iter().all(|(_, body)| body["token"] == TOKEN),
        "{seen:?}"
    );
}

/// A token past three quarters of its life is replaced at once, and the file written.
///
/// Proves RUN-CFG-15.
#[tokio::test]
async fn an_old_token_is_replaced_in_the_file() {
    let desk = Desk::new().await;
    idle(&desk).await;
    let fresh = json!({"token": "glrt-fresh", "token_expires_at": "2100-01-01T00:00:00.000Z"});
    desk.answer("POST", "/runners/reset_authentication_token", 201, fresh)
        .await;
    let text = entry("a", TOKEN)
        + "  token_obtained_at = 2020-01-01T00:00:00Z\n  token_expires_at = 2021-01-01T00:00:00Z\n";
    let config = desk.write("config.toml", &text);
    let mut run = desk.start(&["run", "-c", &config]);
    run.wait_for("Resetting runner authentication token... succeeded");
    run.quit();
    let saved = desk.read("config.toml");
    assert!(saved.contains("token = \"glrt-fresh\"\n"), "{saved}");
    assert!(
        saved.contains("token_expires_at = 2100-01-01T00:00:00Z\n"),
        "{saved}"
    );
    let seen = desk.seen().await;
    let resets: Vec<_> = seen
        .iter()
        .filter(|(call, _)| call.contains("reset"))
        .collect();
    assert_eq!(resets.len(), 1);
    assert_eq!(resets[0].1, json!({"token": TOKEN}));
}

/// `run-single -r` loads the file as every command does: what is global counts, and the id beside it is
/// used, or made. It says what it leaves out.
///
/// Proves RUN-CFG-10.
#[tokio::test]
async fn a_single_runner_of_a_file() {
    let desk = Desk::new().await;
    idle(&desk).await;
    let text = format!(
        "[labels]\n  team = \"blue\"\n{}{}  token_expires_at = 2999-01-01T00:00:00Z\n  [runners.experimental.boot_verify]\n    enabled = true\n",
        entry("other", "glrt-other"),
        entry("one", TOKEN)
    );
    let config = desk.write("config.toml", &text);
    desk.write(".runner_system_id", "s_0123456789ab");
    let args = [
        "run-single",
        "-c",
        &config,
        "-r",
        "one",
        "--wait-timeout",
        "1",
    ];
    desk.run(&args)
        .ended(0)
        .says("WARNING: run-single verifies no runner at boot: boot_verify has no effect")
        .says("WARNING: run-single replaces no token that expires; `gitlab-runner run` does")
        .says("This runner has not received a job in 1 seconds, so now exiting");
    let (_, poll) = desk.seen().await.remove(0);
    assert_eq!(poll["token"], TOKEN);
    assert_eq!(poll["system_id"], "s_0123456789ab");
    assert_eq!(poll["info"]["labels"], json!({"team": "blue"}));
    std::fs::remove_file(desk.path(".runner_system_id")).unwrap();
    desk.run(&args).ended(0);
    assert!(desk.path(".runner_system_id").exists());
}
