use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::Metrics;
use crate::client::transport::BoxFuture;
use crate::logging;

/// Brings gauges up to date before they are read.
pub type Refresh = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

const PLAIN: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
/// How long a client may take to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after a connection could not be taken, as when no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves metrics and debug pages on `listener` until the future is dropped (runner.md 13).
pub async fn serve(listener: TcpListener, metrics: Metrics, refresh: Refresh) {
    loop {
        let connection = match listener.accept().await {
            Ok((connection, _)) => connection,
            Err(error) => {
                tracing::warn!(%error, "Metrics server failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let metrics = metrics.clone();
        let refresh = Arc::clone(&refresh);
        let service = service_fn(move |request: Request<Incoming>| {
            let metrics = metrics.clone();
            let refresh = Arc::clone(&refresh);
            async move {
                let (parts, _) = request.into_parts();
                let page = page(
                    &parts.method,
                    parts.uri.path(),
                    &parts.headers,
                    &metrics,
                    &refresh,
                );
                Ok::<_, Infallible>(page.await)
            }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(connection), service);
        // A client that goes away early is its own affair.
        drop(logging::spawn(async move {
            let _ = serving.await;
        }));
    }
}

async fn page(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    metrics: &Metrics,
    refresh: &Refresh,
) -> Response<Full<Bytes>> {
    match path {
        "/metrics" if *method != Method::GET && *method != Method::HEAD => {
            error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n")
        }
        "/metrics" => {
            refresh().await;
            metrics_page(metrics.text(), headers)
        }
        "/debug/jobs/list" => {
            let mut page = plain(StatusCode::OK, "text/plain", metrics.job_list());
            let version = header::HeaderValue::from_static("2");
            page.headers_mut().insert("x-list-version", version);
            page
        }
        "/debug/process/state" => plain(StatusCode::OK, PLAIN, line(metrics.state().name())),
        "/health/ready" if metrics.is_ready() => plain(StatusCode::OK, PLAIN, line("ready")),
        "/health/ready" => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            PLAIN,
            line("boot-verify pending"),
        ),
        path if path.starts_with("/debug/pprof") => error(
            StatusCode::NOT_IMPLEMENTED,
            "pprof profiles Go programs, and this runner is none. Take a profile from outside, for example with `perf record -p <pid>`.\n",
        ),
        _ => error(StatusCode::NOT_FOUND, "404 page not found\n"),
    }
}

/// One line. Go's server ends it with a newline.
fn line(text: &str) -> String {
    format!("{text}\n")
}

fn metrics_page(text: String, headers: &HeaderMap) -> Response<Full<Bytes>> {
    if !accepts_gzip(headers) {
        return plain(StatusCode::OK, METRICS, text);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail; should it do so, the page goes out as it is.
    let packed = encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish());
    match packed {
        Ok(packed) => {
            let mut page = plain(StatusCode::OK, METRICS, packed);
            let gzip = header::HeaderValue::from_static("gzip");
            page.headers_mut().insert(header::CONTENT_ENCODING, gzip);
            page
        }
        Err(_) => plain(StatusCode::OK, METRICS, text),
    }
}

/// Whether `Accept-Encoding` names gzip, other than to refuse it.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = parameters
                .split_once("q=")
                .and_then(|(_, q)| q.trim().parse::<f32>().ok())
                .is_some_and(|q| q <= 0.0);
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
}

fn plain(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut page = Response::new(Full::new(body.into()));
    *page.status_mut() = status;
    let content_type = header::HeaderValue::from_static(content_type);
    page.headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    page
}

fn error(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut page = plain(status, PLAIN, text);
    let value = header::HeaderValue::from_static("nosniff");
    page.headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, value);
    page
}
