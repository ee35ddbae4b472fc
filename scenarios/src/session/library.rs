//! The recordings that are part of the program.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use flate2::read::ZlibDecoder;

use super::recording::{Recording, RecordingError};

include!(concat!(env!("OUT_DIR"), "/recordings.rs"));

/// Names of all recordings.
pub fn names() -> impl Iterator<Item = &'static str> {
    RECORDINGS.iter().map(|(name, _)| *name)
}

/// A recording by its name; `None` = there is none.
pub fn load(name: &str) -> Result<Option<Recording>, RecordingError> {
    let Some((name, packed)) = RECORDINGS.iter().find(|(known, _)| *known == name) else {
        return Ok(None);
    };
    let folder = Path::new("recordings").join(name);
    let files = unpack(packed).map_err(|error| RecordingError {
        file: folder.clone(),
        kind: error.into(),
    })?;
    Recording::from_files(&folder, &files).map(Some)
}

/// Undoes what the build script packed: name and content, each behind its length.
fn unpack(packed: &[u8]) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(packed).read_to_end(&mut bytes)?;
    let mut rest = bytes.as_slice();
    let mut part = || -> std::io::Result<Vec<u8>> {
        let mut length = [0; 4];
        rest.read_exact(&mut length)?;
        let mut part = vec![0; u32::from_le_bytes(length) as usize];
        rest.read_exact(&mut part)?;
        Ok(part)
    };
    let mut files = BTreeMap::new();
    while let Ok(name) = part() {
        files.insert(String::from_utf8_lossy(&name).into_owned(), part()?);
    }
    Ok(files)
}
