//! `artifacts-downloader` (runner.md 2.7, 12).

use std::io::Seek as _;
use std::sync::Arc;
use std::time::Duration;

use super::archive::go_text;
use super::fetch::{Fetch, Fetched};
use super::{JobAddress, TransferOptions, extract, working_directory};
use crate::client::{StreamClient, StreamLimits};
use crate::clock::SystemClock;
use crate::random::Random;

/// Whose artifacts to get.
#[derive(Clone, Debug)]
pub struct DownloadOptions {
    /// The job that made them, with the token for it.
    pub address: JobAddress,
    /// Settings of the transfer.
    pub transfer: TransferOptions,
    /// Whether to ask first where they are stored (`FF_USE_DIRECT_DOWNLOAD`).
    pub direct: bool,
    /// Whether to get big files in ranges (`FF_USE_PARALLEL_ARTIFACT_TRANSFER`).
    pub parallel: bool,
    /// Tries after the first one.
    pub retries: u32,
    /// Pause between tries.
    pub retry_time: Duration,
}

/// Gets artifacts and unpacks them into the working directory. An error is the text of a fatal record.
pub async fn download(options: &DownloadOptions) -> Result<(), String> {
    options.address.check()?;
    let root = working_directory()?;
    let mut file = match &options.transfer.staging {
        Some(directory) => tempfile::tempfile_in(directory),
        None => tempfile::tempfile(),
    }
    .map_err(|error| format!("no temporary file for the artifacts: {}", go_text(&error)))?;
    let client = StreamClient::new(
        &options.address.url,
        options.address.tls.clone(),
        StreamLimits::default(),
        Random::from_os(),
        Arc::new(SystemClock),
    )
    .map_err(|error| error.to_string())?;
    let fetch = Fetch {
        client: &client,
        address: &options.address,
        parallel: options.parallel,
        meter: options.transfer.meter,
    };
    let mut left = options.retries;
    let mut direct = options.direct;
    loop {
        match fetch.run(direct, &mut file).await {
            Fetched::Done => break,
            Fetched::Refused(error) => return Err(error.to_owned()),
            Fetched::Failed(error) if left == 0 => return Err(error),
            Fetched::Failed(error) => tracing::warn!(error, "Retrying..."),
        }
        left -= 1;
        direct = false;
        tokio::time::sleep(options.retry_time).await;
    }
    file.rewind().map_err(|error| go_text(&error))?;
    tokio::task::spawn_blocking(move || extract::extract(file, &root))
        .await
        .map_err(|error| format!("unpacking failed: {error}"))?
}
