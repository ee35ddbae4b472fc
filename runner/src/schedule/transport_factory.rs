use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use std::path::PathBuf;

use crate::client::{ReqwestTransport, TlsFiles, Transport, TransportError, TransportOptions};

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
    /// `connection_max_age`.
    pub connection_max_age: Duration,
}

/// Makes the way to a server: real HTTP, or a function call in virtual time.
pub trait TransportFactory: Send + Sync + fmt::Debug {
    /// A transport for `target`. An error counts as an unhealthy answer (runner.md 4.3).
    fn transport(&self, target: &TransportTarget) -> Result<Arc<dyn Transport>, TransportError>;
}

/// Real HTTP.
#[derive(Clone, Debug, Default)]
pub struct HttpTransports {
    /// Where `<host>.crt` and its like are looked for.
    pub certificate_directory: Option<PathBuf>,
}

impl TransportFactory for HttpTransports {
    fn transport(&self, target: &TransportTarget) -> Result<Arc<dyn Transport>, TransportError> {
        let tls = TlsFiles {
            ca: target.tls_ca_file.clone(),
            cert: target.tls_cert_file.clone(),
            key: target.tls_key_file.clone(),
            directory: self.certificate_directory.clone(),
        };
        let mut options = TransportOptions::for_url(&target.url, tls);
        options.connection_max_age = target.connection_max_age;
        Ok(Arc::new(ReqwestTransport::new(options)))
    }
}
