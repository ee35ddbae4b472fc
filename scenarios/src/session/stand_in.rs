//! The server of a replay: plays a [`Script`] on a loopback port and keeps what it sees.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use protocol::{JobRequest, header};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::git::{self, GitRequest};
use super::har::Exchange;
use super::place::Place;
use super::plan::Plan;
use super::script::{PatchRule, Script, Stream, range_start, stream_of};

/// An answer that took longer than this in the recording was held back on purpose.
const HELD_MS: f64 = 1000.0;

/// A request as it arrived, and how it was answered.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its stream.
    pub stream: Stream,
    /// The exchange, in the form of a recorded one.
    pub exchange: Exchange,
}

/// What the stand-in knows.
#[derive(Debug, Default)]
pub struct Progress {
    /// Every exchange, in order of arrival.
    pub seen: Vec<Seen>,
    /// How many requests of each stream came.
    pub counts: BTreeMap<Stream, usize>,
    /// Log of each job, from the accepted patches.
    pub traces: BTreeMap<i64, Vec<u8>>,
    /// Whether a patch came before its recorded answer was due: this machine is slower.
    pub slow: bool,
}

/// The server of one replay.
#[derive(Debug)]
pub struct StandIn {
    script: Script,
    place: Place,
    repositories: PathBuf,
    started: Instant,
    progress: Mutex<Progress>,
    changed: Notify,
    hold_polls: bool,
    beyond: BTreeMap<String, u16>,
}

/// The answer is to cut the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer, as in the recording")]
struct Cut;

impl StandIn {
    /// A stand-in that plays `script` at `place` as `plan` says, with git repositories in `repositories`.
    pub fn new(script: Script, place: Place, repositories: PathBuf, plan: &Plan) -> Arc<StandIn> {
        Arc::new(StandIn {
            script,
            place,
            repositories,
            started: Instant::now(),
            progress: Mutex::default(),
            changed: Notify::new(),
            hold_polls: plan.hold_polls,
            beyond: plan.beyond.clone(),
        })
    }

    /// What was seen so far.
    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The script.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Waits until `condition` holds. It is looked at after every request.
    pub async fn until(&self, condition: impl Fn(&Progress) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change in between is missed.
            changed.as_mut().enable();
            if condition(&self.progress()) {
                return;
            }
            changed.await;
        }
    }

    /// Serves until the task is dropped; over TLS if `tls` is there.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, tls: Option<TlsAcceptor>) {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // A connection that died before it was accepted; the listener is fine.
                continue;
            };
            let this = Arc::clone(&self);
            let tls = tls.clone();
            connections.spawn(async move {
                match tls {
                    None => this.talk(TokioIo::new(stream)).await,
                    Some(tls) => {
                        // A handshake that fails the runner sees too.
                        if let Ok(stream) = tls.accept(stream).await {
                            this.talk(TokioIo::new(stream)).await;
                        }
                    }
                }
            });
        }
    }

    async fn talk(self: Arc<Self>, io: impl hyper::rt::Read + hyper::rt::Write + Unpin) {
        let service = service_fn(move |request| Arc::clone(&self).handle(request));
        // A cut connection is an answer of the script; any other error the runner sees too.
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(io, service)
            .await;
    }

    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Cut> {
        let (head, body) = request.into_parts();
        let at_s = self.started.elapsed().as_secs_f64();
        let body = body
            .collect()
            .await
            .map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        let target = head
            .uri
            .path_and_query()
            .map_or_else(|| "/".to_owned(), ToString::to_string);
        let header = |name: &str| {
            let value = head.headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let stream = stream_of(head.method.as_str(), &target, &header, &body);
        if matches!(stream, Stream::Poll(_)) {
            self.keep_session(&body);
        }
        let answer = match &stream {
            Stream::Git => {
                self.git(head.method.as_str(), &target, &header, &body)
                    .await
            }
            _ => self.scripted(&stream, &header, &body).await,
        };
        let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        self.keep(Seen {
            stream,
            exchange: Exchange {
                at_s,
                method: head.method.to_string(),
                target,
                host: self.place.host.clone(),
                headers: pairs(&head.headers),
                body,
                status,
                answer_headers: answer
                    .as_ref()
                    .map(|answer| pairs(answer.headers()))
                    .unwrap_or_default(),
                answer: answer
                    .as_ref()
                    .map(|answer| answer.body().clone())
                    .unwrap_or_default(),
                answer_type: String::new(),
                took_ms: 0.0,
            },
        });
        answer.map(|answer| answer.map(Full::new))
    }

    /// The recorded stand-in kept the session of a poll where jobs could read it.
    fn keep_session(&self, poll: &[u8]) {
        let session = serde_json::from_slice(poll).map(|poll: JobRequest| poll.session);
        if let Ok(Some(session)) = session
            && let Ok(text) = serde_json::to_string(&session)
        {
            let path = Path::new(&self.place.root).join("session.json");
            // A job that misses it shows so in its log.
            let _ = std::fs::write(path, text);
        }
    }

    fn keep(&self, seen: Seen) {
        self.progress().seen.push(seen);
        self.changed.notify_waiters();
    }

    /// Git wants a name and a password; then git itself answers.
    async fn git(
        &self,
        method: &str,
        target: &str,
        header: &(dyn Fn(&str) -> Option<String> + Sync),
        body: &Bytes,
    ) -> Result<Response<Bytes>, Cut> {
        *self.progress().counts.entry(Stream::Git).or_default() += 1;
        if header("authorization").is_none() {
            let mut answer = Response::new(Bytes::from_static(b"HTTP Basic: Access denied\n"));
            *answer.status_mut() = StatusCode::UNAUTHORIZED;
            answer.headers_mut().insert(
                http::header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"GitLab\""),
            );
            return Ok(answer);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = GitRequest {
            root: &self.repositories,
            method,
            path,
            query,
            header,
            body,
        };
        Ok(git::serve(request).await.unwrap_or_else(|error| {
            let mut answer = Response::new(Bytes::from(error.to_string()));
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        }))
    }

    /// The next answer of the stream.
    async fn scripted(
        &self,
        stream: &Stream,
        header: &(dyn Fn(&str) -> Option<String> + Sync),
        body: &Bytes,
    ) -> Result<Response<Bytes>, Cut> {
        let start = range_start(header(header::CONTENT_RANGE).as_deref());
        if let Stream::Patch(job) = stream
            && let Some(answer) = self.not_due(*job, start, body)
        {
            return Ok(answer);
        }
        let index = {
            let mut progress = self.progress();
            let count = progress.counts.entry(stream.clone()).or_default();
            *count += 1;
            *count - 1
        };
        // A step of the plan may wait for a request that is held.
        self.changed.notify_waiters();
        let recorded = self.script.streams.get(stream);
        if self.hold_polls
            && matches!(stream, Stream::Poll(_))
            && recorded.is_none_or(|all| index >= all.len())
        {
            return std::future::pending().await;
        }
        let past = recorded.is_none_or(|all| index >= all.len());
        let beyond = self.beyond.get(&stream.to_string()).filter(|_| past);
        if let Some(status) = beyond {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut answer = plain(status);
            if let Stream::Patch(job) = stream {
                let (_, end) = self.append(*job, start, body);
                answer = with_range(answer, end);
            }
            return Ok(answer);
        }
        // Past its end a stream repeats its last answer, but a job is never handed out twice.
        let Some(exchange) = recorded.and_then(|all| all.get(index).or(all.last())) else {
            return Ok(unknown());
        };
        if past && matches!(stream, Stream::Poll(_)) {
            return Ok(plain(StatusCode::NO_CONTENT));
        }
        if exchange.took_ms > HELD_MS && !past {
            tokio::time::sleep(Duration::from_secs_f64(exchange.took_ms / 1000.0)).await;
        }
        if exchange.status == 0 {
            return Err(Cut);
        }
        if let Stream::Patch(job) = stream {
            let patch = self.script.patches[job].get(index);
            let rule = patch.map_or(PatchRule::ByRange, |patch| patch.rule);
            return Ok(self.patch(*job, rule, start, exchange, body));
        }
        if let Some(job) = self.script.redirected.get(stream) {
            return Ok(self.patch(*job, PatchRule::Kept, start, exchange, body));
        }
        Ok(self.answer(exchange, None))
    }

    /// The answer to a patch after which the log does not yet hold what it held when the next recorded
    /// answer was given: as its range deserves, whatever comes later.
    fn not_due(&self, job: i64, start: Option<u64>, body: &Bytes) -> Option<Response<Bytes>> {
        let stream = Stream::Patch(job);
        let count = self.progress().counts.get(&stream).copied();
        let count = count.unwrap_or_default();
        let mark = self.script.patches.get(&job)?.get(count)?.mark.as_ref()?;
        let mut log = self
            .progress()
            .traces
            .get(&job)
            .cloned()
            .unwrap_or_default();
        log.extend_from_slice(body);
        if String::from_utf8_lossy(&log).contains(&self.place.transpose(mark)) {
            return None;
        }
        let exchange = self.script.streams[&stream].get(count.saturating_sub(1))?;
        self.progress().slow = true;
        let mut answer = self.patch(job, PatchRule::ByRange, start, exchange, body);
        let status = HeaderName::from_static(header::JOB_STATUS);
        if answer.headers().contains_key(&status) {
            let running = HeaderValue::from_static("running");
            answer.headers_mut().insert(status, running);
        }
        Some(answer)
    }

    /// Adds a piece to a log if it fits; whether it did, and the log's length.
    fn append(&self, job: i64, start: Option<u64>, body: &Bytes) -> (bool, u64) {
        let mut progress = self.progress();
        let stored = progress.traces.entry(job).or_default();
        let fits = start == Some(stored.len() as u64);
        if fits {
            stored.extend_from_slice(body);
        }
        (fits, stored.len() as u64)
    }

    fn patch(
        &self,
        job: i64,
        rule: PatchRule,
        start: Option<u64>,
        exchange: &Exchange,
        body: &Bytes,
    ) -> Response<Bytes> {
        match rule {
            PatchRule::ByRange => {
                let (fits, end) = self.append(job, start, body);
                let mut answer = self.answer(exchange, Some(end));
                *answer.status_mut() = if fits {
                    StatusCode::ACCEPTED
                } else {
                    StatusCode::RANGE_NOT_SATISFIABLE
                };
                answer
            }
            PatchRule::Kept => {
                let (_, end) = self.append(job, start, body);
                self.answer(exchange, Some(end))
            }
            PatchRule::Forced { ahead } => {
                let mut progress = self.progress();
                let stored = progress.traces.entry(job).or_default();
                if exchange.status == 202 {
                    // What comes too far behind is put there, as the recorded server did.
                    let start = start.map_or(stored.len(), |start| start as usize);
                    stored.resize(start, b'?');
                    stored.extend_from_slice(body);
                }
                let named = ahead.map(|ahead| (stored.len() as i64 + ahead).max(0) as u64);
                self.answer(exchange, named)
            }
        }
    }

    /// The recorded answer, with addresses of this place; `range` replaces the end of its `Range`.
    fn answer(&self, exchange: &Exchange, range: Option<u64>) -> Response<Bytes> {
        let body = match std::str::from_utf8(&exchange.answer) {
            Ok(text) => Bytes::from(self.place.transpose(text)),
            Err(_) => exchange.answer.clone(),
        };
        let mut answer = Response::new(body);
        *answer.status_mut() =
            StatusCode::from_u16(exchange.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in &exchange.answer_headers {
            let value = self.place.transpose(value);
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
            {
                answer.headers_mut().append(name, value);
            }
        }
        if !exchange.answer_type.is_empty()
            && !answer.headers().contains_key(http::header::CONTENT_TYPE)
            && let Ok(value) = exchange.answer_type.parse()
        {
            answer
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, value);
        }
        match range {
            Some(end) => with_range(answer, end),
            None => answer,
        }
    }
}

fn plain(status: StatusCode) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}

fn with_range(mut answer: Response<Bytes>, end: u64) -> Response<Bytes> {
    let name = HeaderName::from_static(header::RANGE);
    if let Ok(value) = format!("0-{end}").parse() {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// A request that the recording does not know is answered as by a server without that route.
fn unknown() -> Response<Bytes> {
    let mut answer = plain(StatusCode::NOT_FOUND);
    *answer.body_mut() = Bytes::from_static(br#"{"error":"404 Not Found"}"#);
    answer
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        })
        .collect()
}

/// Opens a loopback port of the system's choice.
pub async fn listen() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
