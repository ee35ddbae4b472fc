use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::{Certificate, Client, Identity};
use tokio::time::Instant;

use super::tls::{TlsData, TlsFiles};
use super::transport::{BoxFuture, Transport, TransportError};

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
    state: Mutex<Option<State>>,
    /// For plain HTTP, which needs no certificates: loading the system's takes longer than a poll.
    plain: Mutex<Option<(Client, Instant)>>,
}

#[derive(Debug)]
struct State {
    client: Client,
    built: Instant,
    modified: [Option<SystemTime>; 3],
    tls_data: TlsData,
}

impl ReqwestTransport {
    /// A transport; connections and TLS files come with the first request.
    pub fn new(options: TransportOptions) -> Self {
        ReqwestTransport {
            options,
            state: Mutex::new(None),
            plain: Mutex::new(None),
        }
    }

    /// The client for plain HTTP, whose connections have an age too.
    fn plain_client(&self) -> Result<Client, TransportError> {
        let mut plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((client, built)) = plain.as_ref()
            && built.elapsed() < self.options.connection_max_age
        {
            return Ok(client.clone());
        }
        let client = builder()
            .tls_certs_only([])
            .build()
            .map_err(|e| describe(&e))?;
        *plain = Some((client.clone(), Instant::now()));
        Ok(client)
    }

    /// The current client: a new one when a TLS file changed (WIRE-CON-12), or when the connections of
    /// the old one have reached their age.
    fn client(&self) -> Result<Client, TransportError> {
        let paths = self.options.tls.paths(&self.options.host);
        let modified = paths.each_ref().map(|path| modified(path.as_deref()));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = state.as_ref()
            && state.modified == modified
            && state.built.elapsed() < self.options.connection_max_age
        {
            return Ok(state.client.clone());
        }
        let (client, tls_data) = build(&paths)?;
        *state = Some(State {
            client: client.clone(),
            built: Instant::now(),
            modified,
            tls_data,
        });
        Ok(client)
    }
}

impl Transport for ReqwestTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let is_plain = request.uri().scheme() == Some(&http::uri::Scheme::HTTP);
            let client = if is_plain {
                self.plain_client()?
            } else {
                self.client()?
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
            *response.body_mut() = answer.bytes().await.map_err(|e| describe(&e))?;
            Ok(response)
        })
    }

    fn tls_data(&self) -> TlsData {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .as_ref()
            .map(|state| state.tls_data.clone())
            .unwrap_or_default()
    }
}

fn modified(path: Option<&Path>) -> Option<SystemTime> {
    std::fs::metadata(path?).ok()?.modified().ok()
}

/// What all clients have.
fn builder() -> reqwest::ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that somebody installed a provider before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .tcp_keepalive(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
}

fn build(paths: &[Option<PathBuf>; 3]) -> Result<(Client, TlsData), TransportError> {
    let [ca, cert, key] = paths.each_ref().map(|path| {
        path.as_deref()
            .and_then(|path| std::fs::read(path).ok())
            .unwrap_or_default()
    });
    let mut builder = builder();
    let mut tls_data = TlsData::default();
    match Certificate::from_pem_bundle(&ca) {
        Ok(certificates) if !certificates.is_empty() => {
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
            tls_data.ca_chain = String::from_utf8_lossy(&ca).into_owned();
        }
        Ok(_) if ca.is_empty() => {}
        _ => {
            let file = paths[0].as_deref().unwrap_or(Path::new("")).display();
            tracing::error!("Failed to parse PEM in CA file {file}: the system's are used alone");
        }
    }
    if !cert.is_empty() && !key.is_empty() {
        match Identity::from_pem(&[key.as_slice(), b"\n", &cert].concat()) {
            Ok(identity) => {
                builder = builder.identity(identity);
                tls_data.cert = String::from_utf8_lossy(&cert).into_owned();
                tls_data.key = String::from_utf8_lossy(&key).into_owned();
            }
            Err(error) => {
                tracing::error!(%error, "Failed to load the client certificate and its key");
            }
        }
    }
    let client = builder.build().map_err(|e| describe(&e))?;
    Ok((client, tls_data))
}

/// Text of an error with its causes, without URL (the caller names it, cleaned).
fn describe(error: &reqwest::Error) -> TransportError {
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
