//! The recordings that are part of the program.

use std::collections::BTreeMap;
use std::path::Path;

use super::recording::{Recording, RecordingError};

/// Names and contents of the files of a recording.
pub type Files = &'static [(&'static str, &'static [u8])];

include!(concat!(env!("OUT_DIR"), "/recordings.rs"));

/// Names of all recordings.
pub fn names() -> impl Iterator<Item = &'static str> {
    RECORDINGS.iter().map(|(name, _)| *name)
}

/// A recording by its name; `None` = there is none.
pub fn load(name: &str) -> Result<Option<Recording>, RecordingError> {
    let Some((name, files)) = RECORDINGS.iter().find(|(known, _)| *known == name) else {
        return Ok(None);
    };
    let files: BTreeMap<String, &[u8]> = files
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), *bytes))
        .collect();
    Recording::from_files(&Path::new("recordings").join(name), &files).map(Some)
}
