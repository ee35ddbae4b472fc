//! One request, one answer. Retries, redirects across calls and judging live above.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::TlsData;

/// A boxed future, as object-safe traits need it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries one request to the server and its answer back.
///
/// In production this is reqwest. In virtual time it calls the server in the same process, and no
/// socket is opened.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request`, whose URI is absolute. An answer with any status is `Ok`. Redirects are not
    /// followed here.
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>>;
}

/// An extension of an answer that came by TLS: gives the certificates for the requests of a job that the
/// answer brought (wire.md 1.4, WIRE-PAY-13). Answers without it came by plain HTTP.
#[derive(Clone, Debug)]
pub struct ConnectionTls(pub Arc<dyn TlsSource>);

/// What is known of a connection's certificates. Asked only when a job came.
pub trait TlsSource: Send + Sync + fmt::Debug {
    /// The certificates.
    fn data(&self) -> TlsData;
}

/// No answer came: connection refused or reset, time-out, broken body.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// What went wrong, without secrets.
    pub message: String,
}
