//! A file from an object storage in ranges, several at a time (wire.md 6.3, WIRE-ART-13).

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::{Method, StatusCode};
use reqwest::Url;

use super::archive::go_text;
use super::fetch::without_url;
use super::meter::Meter;
use crate::client::{StreamAnswer, StreamCall, StreamClient};

/// Ranges at a time.
pub(super) const STREAMS: usize = 16;
/// Bytes of a range, and the size from which on a file is got in ranges.
pub(super) const RANGE_BYTES: u64 = 16 << 20;

/// Gets the file at `location` into `file`; `false` if it is too small for that or the storage gives no
/// ranges. `begins` is told the address, without its query, when ranges are asked for.
pub(super) async fn download(
    client: &StreamClient,
    location: &Url,
    file: &File,
    meter: Duration,
    begins: &(dyn Fn(&str) + Sync),
) -> Result<bool, String> {
    let first = range(client, location, "bytes=0-0").await?;
    let Some(size) = (match first.status() {
        StatusCode::PARTIAL_CONTENT => total(first.header("content-range")),
        _ => None,
    }) else {
        return Ok(false);
    };
    drop(first);
    if size <= RANGE_BYTES {
        return Ok(false);
    }
    let mut shown = location.clone();
    shown.set_query(None);
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    begins(shown.as_str());
    let meter = Meter::start("Downloading artifacts", Some(size), meter);
    file.set_len(size).map_err(|error| go_text(&error))?;
    let starts = (0..size).step_by(RANGE_BYTES as usize);
    stream::iter(starts)
        .map(|start| one(client, location, start, size, file, &meter))
        .buffer_unordered(STREAMS)
        .try_collect::<()>()
        .await?;
    Ok(true)
}

/// Neither token nor id go along: the location is signed.
async fn range(client: &StreamClient, location: &Url, range: &str) -> Result<StreamAnswer, String> {
    let call = StreamCall {
        range: range.to_owned(),
        ..StreamCall::new(Method::GET, location.to_string(), "", String::new())
    };
    client.call(&call).await
}

async fn one(
    client: &StreamClient,
    location: &Url,
    start: u64,
    size: u64,
    file: &File,
    meter: &Meter,
) -> Result<(), String> {
    let end = (start + RANGE_BYTES).min(size);
    let name = format!("bytes={start}-{}", end - 1);
    let mut answer = range(client, location, &name).await?;
    let expected = format!("bytes {start}-{}/{size}", end - 1);
    if answer.status() != StatusCode::PARTIAL_CONTENT || answer.header("content-range") != expected
    {
        return Err(format!(
            "the storage answered {} to a request for {name}",
            answer.status_line()
        ));
    }
    let mut at = start;
    while let Some(chunk) = answer
        .response
        .chunk()
        .await
        .map_err(|error| format!("range {name} broke off: {}", without_url(error)))?
    {
        if at + chunk.len() as u64 > end {
            return Err(format!("range {name} is longer than asked for"));
        }
        file.write_all_at(&chunk, at)
            .map_err(|error| go_text(&error))?;
        at += chunk.len() as u64;
        meter.add(chunk.len());
    }
    if at < end {
        return Err(format!("range {name} ended after {} bytes", at - start));
    }
    Ok(())
}

/// Size of the whole file: `bytes 0-0/<size>`.
fn total(content_range: &str) -> Option<u64> {
    content_range
        .strip_prefix("bytes ")?
        .rsplit_once('/')?
        .1
        .parse()
        .ok()
}
