use std::fmt;
use std::sync::Arc;

use crate::client::{Transport, TransportError};

/// What a transport is made for. Entries that agree in all of it share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportTarget {
    /// `url` of the entry.
    pub url: String,
    /// `tls-ca-file` of the entry, or empty.
    pub tls_ca_file: String,
    /// `tls-cert-file` of the entry, or empty.
    pub tls_cert_file: String,
    /// `tls-key-file` of the entry, or empty.
    pub tls_key_file: String,
}

/// Makes the way to a server: real HTTP, or a function call in virtual time.
pub trait TransportFactory: Send + Sync + fmt::Debug {
    /// A transport for `target`. An error counts as an unhealthy answer (runner.md 4.3).
    fn transport(&self, target: &TransportTarget) -> Result<Arc<dyn Transport>, TransportError>;
}
