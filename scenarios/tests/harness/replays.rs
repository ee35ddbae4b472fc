//! Recorded sessions of the official runner, played as the server to ours: the same requests, the same
//! log bytes, after what is volatile is taken out (`session/normalise.rs` has the list).

use std::fs;
use std::path::Path;

use scenarios::session::{library, plan};

use super::program::{gauntlet, text};

/// Those that took less than 15 s; the others by `gauntlet replay --all`. One that is open in
/// `recordings/plans.yml` must differ.
#[test]
fn recorded_sessions_replay_clean() {
    // They wait most of the time.
    let output = gauntlet(&["replay", "--jobs", "12"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

/// Every recording that is not part of this repository has its reason.
#[test]
fn plans_name_recordings_or_have_a_reason() {
    let known: Vec<&str> = library::names().collect();
    for (name, plan) in plan::plans().expect("plans") {
        assert!(
            known.contains(&name.as_str()) || plan.open.is_some(),
            "plans.yml: no recording `{name}`, and no reason why"
        );
    }
}

/// A recording with one byte changed by hand fails, and the first difference is shown in its context.
#[test]
fn a_changed_byte_is_shown() {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/shell-success");
    let folder = tempfile::tempdir().expect("temp");
    let copy = folder.path().join("shell-success");
    fs::create_dir(&copy).expect("folder");
    for entry in fs::read_dir(&recording).expect("recording") {
        let path = entry.expect("entry").path();
        let bytes = fs::read(&path).expect("file");
        let name = path.file_name().expect("name");
        let bytes = if name == "trace-1001.log" {
            let log = String::from_utf8(bytes).expect("text");
            assert!(log.contains("O line 2\n"));
            log.replace("O line 2\n", "O line X\n").into_bytes()
        } else {
            bytes
        };
        fs::write(copy.join(name), bytes).expect("copy");
    }
    let output = gauntlet(&["replay", &copy.display().to_string()]);
    let message = text(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    for part in ["log of job 1001, line 26", "line 1", "line X", "line 2"] {
        assert!(message.contains(part), "{part:?} is missing in:\n{message}");
    }
}
