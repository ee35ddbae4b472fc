use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::certificate::OwnCertificate;
use super::exec::{Admitted, admit, is_authorized};
use super::registry::Sessions;
use super::session::Session;
use super::settings::{SessionServerError, SessionSettings};
use super::terminal;
use crate::clock::SharedClock;
use crate::logging;
use crate::random::Random;

/// Connections at a time; more wait until one is over.
const MAX_CONNECTIONS: usize = 256;
/// How long the TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
/// Pause after a connection could not be taken, as when no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The session server: HTTPS with a certificate of its own (runner.md 13).
#[derive(Debug)]
pub struct SessionServer {
    listener: TcpListener,
    certificate: OwnCertificate,
    sessions: Sessions,
    clock: SharedClock,
    address: String,
}

impl SessionServer {
    /// Listens, and makes the certificate. An address that cannot be used is an error.
    pub async fn listen(
        settings: &SessionSettings,
        random: Random,
        clock: SharedClock,
    ) -> Result<Self, SessionServerError> {
        let address = settings.listen()?;
        // Before anything is opened.
        settings.advertised(&address, 0)?;
        let failed = |error| SessionServerError::listen(&address, &error);
        let listener = address.bind().await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let advertised = settings.advertised(&address, port)?;
        let certificate = OwnCertificate::new(&advertised.host, clock.now()).map_err(|error| {
            SessionServerError::Certificate {
                host: advertised.host.clone(),
                why: error.to_string(),
            }
        })?;
        let sessions = Sessions::new(
            advertised.url,
            certificate.pem.clone(),
            settings.session_timeout,
            random,
        );
        Ok(SessionServer {
            listener,
            certificate,
            sessions,
            clock,
            address: address.with_port(port).to_string(),
        })
    }

    /// The sessions that it serves.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Where it listens: `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Serves until [`Sessions::stop_guard`] is dropped.
    pub async fn serve(self) {
        let stopped = self.sessions.stopped().clone();
        tokio::select! {
            biased;
            () = stopped.cancelled() => {}
            () = self.accept() => {}
        }
    }

    async fn accept(self) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let acceptor = TlsAcceptor::from(Arc::clone(&self.certificate.tls));
        loop {
            // The semaphore is never closed.
            let slot = Arc::clone(&slots).acquire_owned().await;
            let (stream, peer) = match self.listener.accept().await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::warn!(%error, "Session server failed to accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let door = Door {
                sessions: self.sessions.clone(),
                clock: Arc::clone(&self.clock),
                peer,
            };
            let acceptor = acceptor.clone();
            drop(logging::spawn(async move {
                let stopped = door.sessions.stopped().clone();
                tokio::select! {
                    biased;
                    () = stopped.cancelled() => {}
                    () = connection(acceptor, stream, door) => {}
                }
                drop(slot);
            }));
        }
    }
}

/// One connection until its end. A client that goes away early, or does not speak TLS, is its own affair.
async fn connection(acceptor: TlsAcceptor, stream: TcpStream, door: Door) {
    // What is typed goes out at once.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await
    else {
        return;
    };
    let door = Arc::new(door);
    let service = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer(request).await) }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .title_case_headers(true)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

/// What the requests of one connection meet.
#[derive(Debug)]
struct Door {
    sessions: Sessions,
    clock: SharedClock,
    peer: SocketAddr,
}

impl Door {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let uri = head.uri.to_string();
        let (builds, max_builds) = self.sessions.counts();
        tracing::debug!(builds, max_builds, uri, "Processing session request");
        let session = match self.sessions.find(&uri) {
            Ok(session) => session,
            Err(error) => {
                tracing::warn!(
                    builds,
                    error,
                    max_builds,
                    url = uri,
                    "Failed to find session by URL"
                );
                // The server speaks, which was made before there were jobs.
                tracing::error!(builds = 0, max_builds, uri, "Mux handler not found");
                return self.no_page();
            }
        };
        let path = head.uri.path().strip_prefix(session.path());
        let proxied = path.and_then(|path| path.strip_prefix("/proxy/"));
        if proxied.is_none() && path != Some("/exec") {
            return self.no_page();
        }
        if !is_authorized(&session, &head) {
            return self.page(StatusCode::UNAUTHORIZED);
        }
        match proxied {
            Some(service) => self.proxy(&session, &head, service),
            None => self.exec(&session, Request::from_parts(head, body)).await,
        }
    }

    /// Services that a job publishes; no executor of this build has any.
    fn proxy(&self, session: &Session, head: &Parts, service: &str) -> Response<Full<Bytes>> {
        let mut parts = service.splitn(3, '/');
        let named = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
        if named(parts.next()) && named(parts.next()) {
            let (builds, max_builds) = session.counts();
            let uri = head.uri.to_string();
            tracing::warn!(builds, max_builds, uri, "Proxy not found");
        }
        self.page(StatusCode::NOT_FOUND)
    }

    async fn exec(
        &self,
        session: &Arc<Session>,
        mut request: Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        // An answer that refuses leaves it unused.
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, _) = request.into_parts();
        let admitted = match admit(session, &head).await {
            Ok(admitted) => admitted,
            Err(status) => return self.page(status),
        };
        let answer = switching(&admitted);
        let client = self.peer.to_string();
        drop(logging::spawn(async move {
            match upgrade.await {
                Ok(socket) => {
                    let socket = TokioIo::new(socket);
                    let limits = Some(terminal::limits());
                    let socket = WebSocketStream::from_raw_socket(socket, Role::Server, limits);
                    terminal::serve(socket.await, admitted, &client).await;
                }
                Err(error) => {
                    let error = error.to_string();
                    tracing::info!(error, "Terminal: upgrading client to websocket failed");
                    let Admitted {
                        slot, connection, ..
                    } = admitted;
                    connection.close().await;
                    drop(slot);
                }
            }
        }));
        answer
    }

    /// A page that says its status, as Go's server words it.
    fn page(&self, status: StatusCode) -> Response<Full<Bytes>> {
        let reason = status.canonical_reason().unwrap_or_default();
        self.text(status, format!("{reason}\n"))
    }

    fn no_page(&self) -> Response<Full<Bytes>> {
        self.text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned())
    }

    fn text(&self, status: StatusCode, text: String) -> Response<Full<Bytes>> {
        // In the recorded order.
        let mut headers = HeaderMap::new();
        let mut put = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put(header::CONTENT_TYPE, "text/plain; charset=utf-8");
        if status == StatusCode::BAD_REQUEST {
            put(header::SEC_WEBSOCKET_VERSION, "13");
        }
        put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        // A year that such a date cannot hold leaves it out.
        if let Ok(date) = DateTimePrinter::new().timestamp_to_rfc9110_string(&self.clock.now()) {
            put(header::DATE, &date);
        }
        put(header::CONTENT_LENGTH, &text.len().to_string());
        let mut page = Response::new(Full::new(text.into()));
        *page.status_mut() = status;
        *page.headers_mut() = headers;
        page
    }
}

/// The answer that turns the connection into a WebSocket.
fn switching(admitted: &Admitted) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::from_str(&admitted.accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(framing) = admitted.framing {
        let name = HeaderValue::from_static(framing.subprotocol());
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    answer
}
