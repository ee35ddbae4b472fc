//! One try of a download (wire.md 6.3, WIRE-ART-04, WIRE-ART-05).

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use http::Method;
use protocol::path;
use reqwest::Url;

use super::JobAddress;
use super::archive::go_text;
use super::meter::Meter;
use super::ranges;
use crate::client::{StreamAnswer, StreamCall, StreamClient};

const WHAT: &str = "Downloading artifacts from coordinator...";

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    /// The file has it.
    Done,
    /// No further try can help; the text says why.
    Refused(&'static str),
    /// Another try may help.
    Failed(String),
}

/// A download that can be tried.
pub(super) struct Fetch<'a> {
    pub(super) client: &'a StreamClient,
    /// The job whose artifacts these are, with the token for it.
    pub(super) address: &'a JobAddress,
    /// Whether an object storage may be asked for ranges (`FF_USE_PARALLEL_ARTIFACT_TRANSFER`).
    pub(super) parallel: bool,
    pub(super) meter: Duration,
}

/// Fields of the records of one try.
struct Record<'a> {
    correlation_id: String,
    /// Host that sent the file, if it was not asked for directly.
    host: Option<String>,
    id: i64,
    status: String,
    token: &'a str,
}

/// A line of the process log with the fields of a record.
macro_rules! say {
    ($record:expr, $level:ident, $($text:tt)+) => {{
        let Record { correlation_id, host, id, status, token } = &$record;
        tracing::$level!(
            correlation_id,
            host = host.as_deref(),
            id,
            status,
            token,
            $($text)+
        );
    }};
}

impl Fetch<'_> {
    /// Gets the archive into `file`. `direct`: ask first where it is stored, which only the first try
    /// does (RUN-ART-06).
    pub(super) async fn run(&self, direct: bool, file: &mut File) -> Fetched {
        let url = self
            .client
            .api(&path::job_artifacts_download(self.address.id, direct));
        if !direct {
            let request_id = self.client.new_request_id();
            let call = StreamCall::new(Method::GET, url, &self.address.token, request_id.clone());
            return match self.client.call(&call).await {
                Ok(answer) => {
                    let mut record = self.record(&answer, &request_id);
                    record.host = Some(answer.host.clone());
                    self.take(answer, record, file).await
                }
                Err(error) => self.broken(&request_id, error),
            };
        }
        let request_id = self.client.new_request_id();
        let probe = StreamCall {
            user_agent: false,
            follows: false,
            retries: false,
            ..StreamCall::new(
                Method::GET,
                url.clone(),
                &self.address.token,
                request_id.clone(),
            )
        };
        let answer = match self.client.call(&probe).await {
            Ok(answer) => answer,
            Err(error) => return self.broken(&request_id, error),
        };
        let record = self.record(&answer, &request_id);
        let location = match answer.status().as_u16() {
            302 | 307 => location(&url, answer.header("location")),
            _ => None,
        };
        let Some(location) = location else {
            return self.take(answer, record, file).await;
        };
        drop(answer);
        say!(
            record,
            info,
            "Direct download from {}",
            location.host_str().unwrap_or_default()
        );
        if self.parallel {
            match ranges::download(self.client, &location, file, self.meter, &|shown| {
                record.parallel(shown);
            })
            .await
            {
                Ok(true) => {
                    say!(record, info, "{WHAT} ok");
                    return Fetched::Done;
                }
                Ok(false) => {}
                Err(error) => return self.broken(&record.correlation_id, error),
            }
        }
        // The coordinator is asked again, and its redirect is followed.
        let call = StreamCall::new(
            Method::GET,
            url,
            &self.address.token,
            self.client.new_request_id(),
        );
        match self.client.call(&call).await {
            Ok(answer) => self.take(answer, record, file).await,
            Err(error) => self.broken(&record.correlation_id, error),
        }
    }

    fn record(&self, answer: &StreamAnswer, request_id: &str) -> Record<'_> {
        Record {
            correlation_id: answer.correlation_id(request_id),
            host: None,
            id: self.address.id,
            status: answer.status().as_u16().to_string(),
            token: protocol::token::short(&self.address.token),
        }
    }

    /// Judges an answer, and stores its body.
    async fn take(&self, answer: StreamAnswer, mut record: Record<'_>, file: &mut File) -> Fetched {
        match answer.status().as_u16() {
            200 => {
                if let Err(error) = self.store(answer, file).await {
                    return self.broken(&record.correlation_id, error);
                }
                say!(record, info, "{WHAT} ok");
                Fetched::Done
            }
            401 => {
                say!(record, error, "{WHAT} unauthorized");
                Fetched::Refused("permission denied")
            }
            403 => {
                record.status = answer.describe().await;
                say!(record, error, "{WHAT} forbidden");
                Fetched::Refused("permission denied")
            }
            404 => {
                say!(record, error, "{WHAT} not found");
                Fetched::Refused("file does not exist")
            }
            _ => {
                say!(record, warn, "{WHAT} failed");
                Fetched::Failed("invalid argument".to_owned())
            }
        }
    }

    async fn store(&self, mut answer: StreamAnswer, file: &mut File) -> Result<(), String> {
        use std::io::Seek as _;

        let meter = Meter::start(
            "Downloading artifacts",
            answer.response.content_length(),
            self.meter,
        );
        file.set_len(0)
            .and_then(|()| file.rewind())
            .map_err(|error| go_text(&error))?;
        while let Some(chunk) = answer
            .response
            .chunk()
            .await
            .map_err(|error| format!("the answer broke off: {}", without_url(error)))?
        {
            meter.add(chunk.len());
            file.write_all(&chunk).map_err(|error| go_text(&error))?;
        }
        Ok(())
    }

    /// No answer, or only a part of one.
    fn broken(&self, correlation_id: &str, error: String) -> Fetched {
        let token = protocol::token::short(&self.address.token);
        tracing::error!(
            correlation_id,
            error,
            id = self.address.id,
            token,
            "{WHAT} error"
        );
        Fetched::Failed(error)
    }
}

/// Where a redirect leads, if it says so.
fn location(url: &str, location: &str) -> Option<Url> {
    if location.is_empty() {
        return None;
    }
    Url::parse(url).ok()?.join(location).ok()
}

/// An address may hold a signature.
pub(super) fn without_url(error: reqwest::Error) -> reqwest::Error {
    error.without_url()
}

impl Record<'_> {
    /// `url` is shown without its query, which holds a signature.
    fn parallel(&self, url: &str) {
        let Record {
            correlation_id,
            id,
            status,
            token,
            ..
        } = self;
        tracing::info!(
            correlation_id,
            id,
            status,
            token,
            url,
            "Artifact download: parallel, {} streams, {} MiB chunk size",
            ranges::STREAMS,
            ranges::RANGE_BYTES >> 20
        );
    }
}
