//! `artifacts-uploader` (runner.md 2.7, 12).

use std::sync::Arc;
use std::time::Duration;

use protocol::artifact::UploadQuery;

use super::files::{self, Selection};
use super::sender::{Sent, Upload};
use super::statement::{self, StatementOptions};
use super::{JobAddress, TransferOptions, expand, format, working_directory};
use crate::client::{StreamClient, StreamLimits};
use crate::clock::{Clock as _, SystemClock};
use crate::random::Random;

/// Tries of an upload; more while the server says that it is overloaded (RUN-ART-02).
const TRIES: u32 = 3;
const TRIES_UNAVAILABLE: u32 = 6;
/// Pauses between tries: the first, which doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What to upload, and where to.
#[derive(Clone, Debug)]
pub struct UploadOptions {
    /// The job.
    pub address: JobAddress,
    /// Settings of the transfer.
    pub transfer: TransferOptions,
    /// The files.
    pub selection: Selection,
    /// Name of the archive, without suffix; may hold variables.
    pub name: String,
    /// When it expires, in the words of GitLab.
    pub expire_in: String,
    /// `zip`, `gzip`, `raw`; empty: zip.
    pub format: String,
    /// Such as `archive` or `junit`; may be empty.
    pub kind: String,
    /// `fastest` to `slowest`; empty: default.
    pub compression_level: String,
    /// Limit of a whole request.
    pub timeout: Duration,
    /// Limit from the end of a request to the head of its answer.
    pub response_header_timeout: Duration,
    /// Show what the server answers.
    pub debug_trace: bool,
    /// Add a statement on where the files come from, if the format is `zip`.
    pub statement: Option<StatementOptions>,
}

/// Uploads files of the working directory. An error is the text of a fatal record. It is no error if
/// there are no files (RUN-ART-01).
pub async fn upload(options: &UploadOptions) -> Result<(), String> {
    options.address.check()?;
    let root = working_directory()?;
    let environment = expand::process_environment();
    let lookup = |name: &str| environment.get(name).cloned();
    let name = expand::expand(&options.name, &lookup).unwrap_or_else(|error| {
        tracing::warn!("invalid artifact name: {error}");
        options.name.clone()
    });
    let mut files = files::collect(&options.selection, root, &environment);
    if let Some(statement) = options
        .statement
        .as_ref()
        .filter(|_| options.format == "zip")
    {
        let now = SystemClock.now().round(jiff::Unit::Second);
        let now = now.map_or_else(|_| String::new(), |now| now.to_string());
        statement::add(&mut files, &name, options.address.id, statement, &now)?;
    }
    let files = Arc::new(files);
    if files.entries.is_empty() {
        tracing::error!("No files to upload");
        return Ok(());
    }
    let client = StreamClient::new(
        &options.address.url,
        options.address.tls.clone(),
        StreamLimits {
            whole: options.timeout,
            header: options.response_header_timeout,
        },
        Random::from_os(),
        Arc::new(SystemClock),
    )
    .map_err(|error| error.to_string())?;
    let upload = Upload {
        client: &client,
        address: &options.address,
        query: UploadQuery {
            artifact_format: &options.format,
            artifact_type: &options.kind,
            expire_in: &options.expire_in,
        },
        files,
        name: &name,
        level: format::deflate_level(&options.compression_level),
        meter: options.transfer.meter,
        show_answers: options.debug_trace,
    };
    until_stored(async || upload.send().await).await
}

/// Tries until the server has it, no further try can help, or there were enough (RUN-ART-02).
async fn until_stored(mut send: impl AsyncFnMut() -> Sent) -> Result<(), String> {
    let mut pause = FIRST_PAUSE;
    for number in 1.. {
        let (error, unavailable) = match send().await {
            Sent::Stored => return Ok(()),
            Sent::Refused(error) => return Err(error.to_owned()),
            Sent::Failed { error, unavailable } => (error, unavailable),
        };
        let tries = if unavailable {
            TRIES_UNAVAILABLE
        } else {
            TRIES
        };
        if number >= tries {
            return Err(error);
        }
        tracing::warn!(context = "artifacts-uploader", error, "Retrying...");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    unreachable!("the number of tries has a limit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    fn failed(unavailable: bool) -> Sent {
        Sent::Failed {
            error: "no".to_owned(),
            unavailable,
        }
    }

    /// Seconds at which tries begin when they end as `answers` says, the last of which is repeated.
    async fn times(answers: Vec<Sent>) -> (Vec<u64>, Result<(), String>) {
        let begin = Instant::now();
        let mut at = Vec::new();
        let mut answers = answers.into_iter().peekable();
        let result = until_stored(async || {
            at.push(begin.elapsed().as_secs());
            let answer = answers.next().expect("an answer");
            if answers.peek().is_none() {
                answers = vec![answer.clone()].into_iter().peekable();
            }
            answer
        })
        .await;
        (at, result)
    }

    /// Proves RUN-ART-02.
    ///
    /// Goal: tries and pauses as in the recordings `artifact-faults` and `upload-early`.
    #[tokio::test(start_paused = true)]
    async fn tries() {
        let no = || Err("no".to_owned());
        assert_eq!(times(vec![Sent::Stored]).await, (vec![0], Ok(())));
        assert_eq!(times(vec![failed(false)]).await, (vec![0, 1, 3], no()));
        assert_eq!(
            times(vec![failed(true)]).await,
            (vec![0, 1, 3, 7, 12, 17], no())
        );
        let refused = times(vec![failed(false), Sent::Refused("too large")]).await;
        assert_eq!(refused, (vec![0, 1], Err("too large".to_owned())));
        let stored = times(vec![failed(false), failed(false), Sent::Stored]).await;
        assert_eq!(stored, (vec![0, 1, 3], Ok(())));
        // What counts is why the last try failed.
        let mixed = times(vec![
            failed(true),
            failed(true),
            failed(true),
            failed(false),
        ])
        .await;
        assert_eq!(mixed, (vec![0, 1, 3, 7], no()));
    }
}
