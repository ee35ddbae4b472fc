//! One try of an upload, and what its answer means (wire.md 6.1, WIRE-ART-01, WIRE-ART-03).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use protocol::artifact::UploadQuery;
use protocol::path;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::JobAddress;
use super::archive;
use super::files::Files;
use super::format::Format;
use super::meter::Meter;
use crate::client::transport::BoxFuture;
use crate::client::{BodySource, OpenBody, OpenError, StreamCall, StreamClient};

/// Random bytes of a boundary, which are its 60 hex digits.
const BOUNDARY_BYTES: usize = 30;

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The server has it.
    Stored,
    /// No further try can help; the text says why.
    Refused(&'static str),
    /// Another try may help.
    Failed {
        error: String,
        /// The server is overloaded: it is given more time.
        unavailable: bool,
    },
}

/// An upload that can be tried.
pub(super) struct Upload<'a> {
    pub(super) client: &'a StreamClient,
    pub(super) address: &'a JobAddress,
    pub(super) query: UploadQuery<'a>,
    pub(super) files: Arc<Files>,
    pub(super) name: &'a str,
    pub(super) level: u32,
    pub(super) meter: Duration,
    /// Show what the server answers.
    pub(super) show_answers: bool,
}

impl Upload<'_> {
    /// Sends it once; the client repeats requests by itself as it does all others.
    pub(super) async fn send(&self) -> Sent {
        let path = path::job_artifacts_upload(self.address.id, &self.query);
        let body = Multipart {
            upload: self,
            boundary: self.client.hex(BOUNDARY_BYTES),
        };
        let request_id = self.client.new_request_id();
        let mut call = StreamCall::new(
            Method::POST,
            self.client.api(&path),
            &self.address.token,
            request_id.clone(),
        );
        call.body = Some(&body);
        let what = match self.query.artifact_type {
            "" => "Uploading artifacts to coordinator...".to_owned(),
            kind => format!("Uploading artifacts as {kind:?} to coordinator..."),
        };
        let id = self.address.id;
        let token = protocol::token::short(&self.address.token);
        let answer = match self.client.call(&call).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(
                    correlation_id = request_id,
                    error,
                    id,
                    token,
                    "{what} error"
                );
                return Sent::Failed {
                    error,
                    unavailable: false,
                };
            }
        };
        let code = answer.status().as_u16();
        let correlation_id = answer.correlation_id(&request_id);
        let line = answer.status_line();
        let text = answer.describe().await;
        if self.show_answers {
            tracing::info!(correlation_id, id, "Answer of the coordinator: {text}");
        }
        let no_response = || Sent::Failed {
            error: "upload failed with no response from coordinator".to_owned(),
            unavailable: false,
        };
        match code {
            201 => {
                tracing::info!(correlation_id, id, status = code, token, "{what} {line}");
                Sent::Stored
            }
            307 => {
                let text = format!("{what} {line} empty location");
                tracing::error!(correlation_id, id, status = code, token, "{text}");
                no_response()
            }
            403 | 413 | 503 => {
                tracing::error!(correlation_id, id, status = code, token, "{what} {text}");
                match code {
                    403 => Sent::Refused("permission denied"),
                    413 => Sent::Refused("too large"),
                    _ => Sent::Failed {
                        error: "service unavailable".to_owned(),
                        unavailable: true,
                    },
                }
            }
            _ => {
                tracing::warn!(correlation_id, id, status = code, token, "{what} {text}");
                no_response()
            }
        }
    }
}

/// The body: one part `file`.
struct Multipart<'a> {
    upload: &'a Upload<'a>,
    boundary: String,
}

impl Multipart<'_> {
    async fn chunks(&self) -> Result<OpenBody, OpenError> {
        let upload = self.upload;
        let format = Format::named(upload.query.artifact_format).map_err(OpenError::Open)?;
        let name = format.file_name(upload.name);
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n",
            self.boundary
        );
        let tail = format!("\r\n--{}--\r\n", self.boundary);
        let mut packed = archive::stream(format, Arc::clone(&upload.files), upload.level);
        // Nothing is sent of an archive that cannot even be begun.
        let first = match packed.recv().await {
            Some(Ok(first)) => first,
            Some(Err(error)) => return Err(OpenError::Copy(error)),
            None => Bytes::new(),
        };
        let sent = CancellationToken::new();
        let failure = Arc::new(OnceLock::new());
        let state = Sending {
            head: Some(Bytes::from(head)),
            first: Some(first),
            packed: Some(packed),
            tail: Some(Bytes::from(tail)),
            meter: Meter::start("Uploading artifacts", None, upload.meter),
            _sent: sent.clone().drop_guard(),
            failure: Arc::clone(&failure),
        };
        let chunks = stream::unfold(state, |mut state| async move {
            let chunk = state.next().await?;
            Some((chunk, state))
        });
        Ok(OpenBody {
            body: reqwest::Body::wrap_stream(chunks),
            sent,
            failure,
        })
    }
}

impl BodySource for Multipart<'_> {
    fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    fn open(&self) -> BoxFuture<'_, Result<OpenBody, OpenError>> {
        Box::pin(self.chunks())
    }
}

/// A body that is being sent.
struct Sending {
    head: Option<Bytes>,
    first: Option<Bytes>,
    packed: Option<mpsc::Receiver<Result<Bytes, String>>>,
    tail: Option<Bytes>,
    /// Counts the archive without what stands around it.
    meter: Meter,
    /// Tells that the body is through, when it is dropped.
    _sent: tokio_util::sync::DropGuard,
    failure: Arc<OnceLock<String>>,
}

impl Sending {
    async fn next(&mut self) -> Option<Result<Bytes, std::io::Error>> {
        // An answer that is there already is read before more is written: once the server has closed the
        // connection, a write would end in an error, and the answer be lost.
        tokio::task::yield_now().await;
        if let Some(head) = self.head.take() {
            return Some(Ok(head));
        }
        if let Some(chunk) = self.first.take() {
            self.meter.add(chunk.len());
            return Some(Ok(chunk));
        }
        if let Some(packed) = &mut self.packed {
            match packed.recv().await {
                Some(Ok(chunk)) => {
                    self.meter.add(chunk.len());
                    return Some(Ok(chunk));
                }
                Some(Err(error)) => {
                    self.packed = None;
                    self.tail = None;
                    let _ = self.failure.set(error.clone());
                    return Some(Err(std::io::Error::other(error)));
                }
                None => self.packed = None,
            }
        }
        self.tail.take().map(Ok)
    }
}
