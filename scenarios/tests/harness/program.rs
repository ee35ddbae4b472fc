//! The built program, started as a person starts it.

use std::process::{Command, Output};

/// `gauntlet` with these arguments.
pub(crate) fn gauntlet(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gauntlet"))
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .expect("gauntlet starts")
}

/// What it wrote, stdout first.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Exit codes: 0 all as expected, 2 wrong use; nothing is coloured where no terminal is.
#[test]
fn exit_codes_tell_what_happened() {
    let good = gauntlet(&["run", "job-failure-exit-code", "--clock", "virtual"]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good));
    assert!(!text(&good).contains('\u{1b}'), "{}", text(&good));
    for args in [
        &["run", "no-such-scenario"][..],
        &["fly"],
        &["run", "--clock", "moon"],
    ] {
        let bad = gauntlet(args);
        assert_eq!(bad.status.code(), Some(2), "{args:?}: {}", text(&bad));
    }
}

/// The profile of whoever starts the harness is not part of a scenario: one that prints and never ends
/// changes nothing.
#[test]
fn the_callers_profile_is_not_read() {
    let home = tempfile::tempdir().expect("temp");
    for name in [".bash_profile", ".bashrc", ".profile"] {
        std::fs::write(home.path().join(name), "echo noise; sleep 1000\n").expect("profile");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_gauntlet"))
        .args(["run", "job-success", "--clock", "real"])
        .env("HOME", home.path())
        .output()
        .expect("gauntlet starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

/// A scenario that expects the wrong thing fails with exit code 1, and the message says what was
/// required, expected and seen, and how to run only this.
#[test]
fn a_failure_explains_itself() {
    let folder = tempfile::tempdir().expect("temp");
    let path = folder.path().join("wrong.yml");
    let text_of = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/catalogue/fair-usage-1.yml"
    ))
    .expect("catalogue");
    let wrong = text_of
        .replace("picks: [1, 4, 6, 2, 5, 3]", "picks: [1, 4, 6, 2, 3, 5]")
        .replace("name: fair-usage-1", "name: wrong");
    std::fs::write(&path, wrong).expect("write");
    let output = gauntlet(&["run", &path.display().to_string(), "--clock", "virtual"]);
    let message = text(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    for part in [
        "required",
        "expect.picks",
        "- expected, + seen",
        "run it",
        "event log",
    ] {
        assert!(message.contains(part), "{part} is missing in:\n{message}");
    }
}

/// `--json` gives one document that a machine can read.
#[test]
fn json_is_json() {
    let output = gauntlet(&["run", "fair-usage-1", "--clock", "virtual", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(value.to_string().contains("fair-usage-1"), "{value}");
}
