use std::error::Error as _;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::Client;
use tokio::time::Instant;

use super::tls::{TlsData, TlsFiles, TlsState, plain_http_config};
use super::transport::{BoxFuture, ConnectionTls, TlsSource, Transport, TransportError};

/// Dial and TLS handshake (wire.md 1.4).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// From the request to the head of the answer.
const HEADER_TIMEOUT: Duration = Duration::from_mins(10);
/// Whole request, bodies included.
const REQUEST_TIMEOUT: Duration = Duration::from_hours(1);
/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Idle connections per host.
const IDLE_PER_HOST: usize = 2;

/// Settings of a [`ReqwestTransport`].
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// Host of the server, without port: names the files in the certificate directory.
    pub host: String,
    /// TLS files.
    pub tls: TlsFiles,
    /// All idle connections are closed this often (`connection_max_age`, 15 minutes).
    pub connection_max_age: Duration,
}

impl TransportOptions {
    /// Options for the server at `url`.
    pub fn for_url(url: &str, tls: TlsFiles) -> Self {
        let host = reqwest::Url::parse(url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default();
        TransportOptions {
            host,
            tls,
            connection_max_age: Duration::from_mins(15),
        }
    }
}

/// Real HTTP: HTTP/1.1 over TCP, TLS 1.2 or newer, proxies from the environment, gzip.
#[derive(Debug)]
pub struct ReqwestTransport {
    options: TransportOptions,
    secure: Mutex<Option<Secure>>,
    /// For plain HTTP, which needs no certificates: loading the system's takes longer than a poll.
    plain: Mutex<Option<(Client, Instant)>>,
    /// Whether answers may come compressed.
    gzip: bool,
}

#[derive(Clone, Debug)]
struct Secure {
    client: Client,
    built: Instant,
    modified: [Option<SystemTime>; 3],
    tls: Arc<TlsState>,
}

impl ReqwestTransport {
    /// A transport; connections and TLS files come with the first request.
    pub fn new(options: TransportOptions) -> Self {
        ReqwestTransport {
            options,
            secure: Mutex::new(None),
            plain: Mutex::new(None),
            gzip: true,
        }
    }

    /// The same, but answers come as they are stored, and are not asked for compressed.
    pub(super) fn without_gzip(mut self) -> Self {
        self.gzip = false;
        self
    }

    /// The current client, for requests whose bodies are streams. `plain`: for `http://`.
    pub(super) fn client(&self, plain: bool) -> Result<Client, TransportError> {
        if plain && !proxy_wants_tls() {
            self.plain()
        } else {
            Ok(self.secure()?.client)
        }
    }

    /// The client for plain HTTP, whose connections have an age too.
    fn plain(&self) -> Result<Client, TransportError> {
        let mut plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((client, built)) = plain.as_ref()
            && built.elapsed() < self.options.connection_max_age
        {
            return Ok(client.clone());
        }
        let client = build(plain_http_config(), self.gzip)?;
        *plain = Some((client.clone(), Instant::now()));
        Ok(client)
    }

    /// The current client for TLS: a new one when a file changed, or when the connections of the old one
    /// have reached their age (WIRE-CON-12).
    fn secure(&self) -> Result<Secure, TransportError> {
        let paths = self.options.tls.paths(&self.options.host);
        let modified = paths.each_ref().map(|path| modified(path.as_deref()));
        let mut secure = self.secure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secure) = secure.as_ref()
            && secure.modified == modified
            && secure.built.elapsed() < self.options.connection_max_age
        {
            return Ok(secure.clone());
        }
        let (tls, config) = TlsState::load(&paths).map_err(|message| TransportError { message })?;
        let new = Secure {
            client: build(Ok(config), self.gzip)?,
            built: Instant::now(),
            modified,
            tls: Arc::new(tls),
        };
        *secure = Some(new.clone());
        Ok(new)
    }
}

impl Transport for ReqwestTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let is_plain = request.uri().scheme() == Some(&http::uri::Scheme::HTTP);
            let (client, tls) = if is_plain && !proxy_wants_tls() {
                (self.plain()?, None)
            } else {
                let secure = self.secure()?;
                (secure.client, Some(secure.tls))
            };
            let request = reqwest::Request::try_from(request).map_err(|e| describe(&e))?;
            let sent = tokio::time::timeout(HEADER_TIMEOUT, client.execute(request)).await;
            let mut answer = sent
                .map_err(|_| TransportError {
                    message: "timeout awaiting response headers".to_owned(),
                })?
                .map_err(|e| describe(&e))?;
            let mut response = http::Response::new(Bytes::new());
            *response.status_mut() = answer.status();
            std::mem::swap(response.headers_mut(), answer.headers_mut());
            if let Some(tls) = tls.filter(|_| !is_plain) {
                let info = answer.extensions().get::<reqwest::tls::TlsInfo>();
                let leaf = info.and_then(reqwest::tls::TlsInfo::peer_certificate);
                let connection = TlsConnection {
                    tls,
                    leaf: leaf.unwrap_or_default().into(),
                };
                response
                    .extensions_mut()
                    .insert(ConnectionTls(Arc::new(connection)));
            }
            *response.body_mut() = answer.bytes().await.map_err(|e| describe(&e))?;
            Ok(response)
        })
    }
}

/// Of one connection.
#[derive(Debug)]
struct TlsConnection {
    tls: Arc<TlsState>,
    leaf: Box<[u8]>,
}

impl TlsSource for TlsConnection {
    fn data(&self) -> TlsData {
        self.tls.data(&self.leaf)
    }
}

/// Whether requests for `http://` go through a proxy that is itself spoken to by TLS.
fn proxy_wants_tls() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
            .iter()
            .filter_map(|name| std::env::var(name).ok())
            .any(|value| value.to_ascii_lowercase().starts_with("https://"))
    })
}

fn modified(path: Option<&Path>) -> Option<SystemTime> {
    std::fs::metadata(path?).ok()?.modified().ok()
}

fn build(tls: Result<rustls::ClientConfig, String>, gzip: bool) -> Result<Client, TransportError> {
    let tls = tls.map_err(|message| TransportError { message })?;
    Client::builder()
        .http1_only()
        .gzip(gzip)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .tcp_keepalive(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .tls_backend_preconfigured(tls)
        .tls_info(true)
        .build()
        .map_err(|e| describe(&e))
}

/// Text of an error with its causes, without URL (the caller names it, cleaned).
pub(super) fn describe(error: &reqwest::Error) -> TransportError {
    let mut message = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    if message.is_empty() {
        message.push_str("the request failed");
    }
    TransportError { message }
}
