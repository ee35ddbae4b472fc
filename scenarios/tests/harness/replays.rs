//! Recorded sessions of the official runner, played as the server to ours: the same requests, the same
//! log bytes, after what is volatile is taken out (`session/normalise.rs` has the list).

use std::fs;
use std::path::Path;

use super::program::{gauntlet, text};

#[test]
fn recorded_sessions_replay_clean() {
    let output = gauntlet(&["replay"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
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
