//! The body of an artifact upload as something that can be compared: its bytes hold a random boundary
//! and times, and their order in an archive is that in which compression ended.

use std::io::{Cursor, Read as _};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value, json};
use zip::ZipArchive;

use super::place::Place;

/// Bytes of a member that are read at most; what is longer is compared by its beginning.
const MEMBER_BYTES: u64 = 1 << 20;

/// Head of the part, and what it holds: for a zip every member with mode and content, for gzip the
/// content. `None` for a body that is no upload.
pub(super) fn read(content_type: &str, body: &Bytes, place: &Place) -> Option<Value> {
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=")?;
    let (start, end) = (
        format!("--{boundary}\r\n"),
        format!("\r\n--{boundary}--\r\n"),
    );
    if !body.starts_with(start.as_bytes()) || !body.ends_with(end.as_bytes()) {
        return Some(json!({"broken": format!("{} bytes that are not one part", body.len())}));
    }
    let inner = body.slice(start.len()..body.len() - end.len());
    let split = inner.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&inner[..split]).into_owned();
    let content = inner.slice(split + 4..);
    let shown = match ZipArchive::new(Cursor::new(content.clone())) {
        Ok(archive) => members(archive, place),
        Err(_) if content.starts_with(&[0x1f, 0x8b]) => {
            text(&mut MultiGzDecoder::new(&content[..]), place)
        }
        Err(_) => text(&mut &content[..], place),
    };
    Some(json!({"head": head, "content": shown}))
}

fn members(mut archive: ZipArchive<Cursor<Bytes>>, place: &Place) -> Value {
    let mut members = Map::new();
    for index in 0..archive.len() {
        let Ok(mut file) = archive.by_index(index) else {
            members.insert(format!("member {index}"), "cannot be read".into());
            continue;
        };
        let name = file
            .name()
            .map(std::borrow::Cow::into_owned)
            .unwrap_or_default();
        let mode = file
            .unix_mode()
            .map_or_else(String::new, |mode| format!("{mode:o}"));
        let method = file.compression().to_string();
        let content = text(&mut file, place);
        members.insert(
            name,
            json!({"mode": mode, "method": method, "content": content}),
        );
    }
    members.into()
}

fn text(from: &mut dyn std::io::Read, place: &Place) -> Value {
    let mut bytes = Vec::new();
    if let Err(error) = from.take(MEMBER_BYTES).read_to_end(&mut bytes) {
        return format!("cannot be read: {error}").into();
    }
    match std::str::from_utf8(&bytes) {
        // A statement of provenance, of which some parts are the build's and the machine's.
        Ok(text) if text.starts_with('{') => statement(place.restore(text)),
        Ok(text) if bytes.len() < 4096 => place.restore(text).into(),
        // Long or random: its size is what is the same in every run.
        _ => format!("{} bytes", bytes.len()).into(),
    }
}

/// JSON without times, revisions and the order of subjects.
fn statement(text: String) -> Value {
    let Ok(mut statement) = serde_json::from_str::<Value>(&text) else {
        return text.into();
    };
    if let Some(subjects) = statement.get_mut("subject").and_then(Value::as_array_mut) {
        subjects.sort_by_key(ToString::to_string);
    }
    for path in [
        "/predicate/buildDefinition/buildType",
        "/predicate/runDetails/builder/version/gitlab-runner",
        "/predicate/runDetails/metadata/startedOn",
        "/predicate/runDetails/metadata/finishedOn",
    ] {
        if let Some(member) = statement.pointer_mut(path) {
            *member = "<…>".into();
        }
    }
    statement
}
