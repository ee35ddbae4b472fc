//! Records of helper commands in the log of a job, without what is volatile.

use super::normalise::{replace_between, without_value};
use super::place::Place;

/// A record of a helper command, whose log is part of the job's.
pub(super) fn record(mut line: String, place: &Place) -> String {
    if line.contains("\x1b[0;m=") {
        line = place.restore(&line);
    }
    let volatile: &[&str] = if line.contains("01E Runtime platform ") {
        &["pid", "revision", "version"]
    } else if line.contains("01E Waiting before making the next call") {
        &["duration"]
    } else if line.contains("Downloading artifacts from coordinator...") {
        // A name in the recording, an address here.
        &["host"]
    } else {
        &[]
    };
    for field in volatile {
        line = without_value(&line, &format!("{field}\x1b[0;m="), &[' ', '\n']);
    }
    line = replace_between(&line, "01E Direct download from ", "\x1b[0;m", "<host>");
    // How many bytes an archive has, and how fast they went.
    for label in ["Uploading artifacts ", "Downloading artifacts "] {
        if let Some((head, tail)) = line.split_once(&format!("\r{label}"))
            && tail.contains("/s)")
        {
            line = format!("{head}\\r{label}<progress>\n");
        }
    }
    line
}
