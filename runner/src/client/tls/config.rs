use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use super::data::TlsData;
use super::verifier::ChainVerifier;

/// TLS as the files say at the moment at which they were read.
#[derive(Debug)]
pub(in crate::client) struct TlsState {
    /// Content of the CA file, if it could be used.
    ca: String,
    /// Client certificate and key, PEM; both or none.
    identity: Option<(String, String)>,
    verifier: Arc<ChainVerifier>,
}

impl TlsState {
    /// Reads the files (CA, client certificate, client key), and makes settings for connections: TLS 1.2
    /// or newer, no ALPN. A missing file is passed over; one that cannot be used is logged, and left out
    /// (wire.md 1.4). An error if there is no CA certificate at all, neither there nor in the system.
    pub(in crate::client) fn load(
        paths: &[Option<PathBuf>; 3],
    ) -> Result<(Self, ClientConfig), String> {
        let [ca, cert, key] = paths.each_ref().map(|path| {
            path.as_deref()
                .and_then(|path| std::fs::read(path).ok())
                .unwrap_or_default()
        });
        let provider = Arc::new(ring::default_provider());
        let own = certificates(&ca);
        if own.is_empty() && !ca.is_empty() {
            tracing::error!(
                "Failed to parse PEM in CA file {}: the system's certificates are used alone",
                shown(paths[0].as_deref())
            );
        }
        let ca = if own.is_empty() { Vec::new() } else { ca };
        let system = rustls_native_certs::load_native_certs().certs;
        let verifier = Arc::new(ChainVerifier::new(own, &system, Arc::clone(&provider))?);
        let builder = versions(Arc::clone(&provider))?
            .dangerous() // The verifier is webpki's with a memory.
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _);
        let identity = if cert.is_empty() || key.is_empty() {
            None
        } else {
            identity(&cert, &key, &provider)
                .inspect_err(|error| {
                    tracing::error!(
                        error,
                        "Failed to load the client certificate {} with the key {}",
                        shown(paths[1].as_deref()),
                        shown(paths[2].as_deref())
                    );
                })
                .ok()
        };
        let config = match &identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::clone(identity) as _),
            None => builder.with_no_client_auth(),
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let state = TlsState {
            ca: text(ca),
            identity: identity.map(|_| (text(cert), text(key))),
            verifier,
        };
        Ok((state, config))
    }

    /// What a job gets that came over a connection to a server with certificate `leaf` (DER): the CA
    /// file, or without one the chain that proved the server; and the client certificate.
    pub(in crate::client) fn data(&self, leaf: &[u8]) -> TlsData {
        let ca_chain = if self.ca.is_empty() {
            self.verifier.chain(leaf).as_ref().to_owned()
        } else {
            self.ca.clone()
        };
        let (cert, key) = self.identity.clone().unwrap_or_default();
        TlsData {
            ca_chain,
            cert,
            key,
        }
    }
}

/// Settings for a client that speaks plain HTTP only: it trusts nobody, and reads no file. All such clients
/// share one, without sessions to resume: there may be hundreds.
pub(in crate::client) fn plain_http_config() -> Result<ClientConfig, String> {
    static CONFIG: OnceLock<Result<ClientConfig, String>> = OnceLock::new();
    let make = || {
        let mut config = versions(Arc::new(ring::default_provider()))?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(config)
    };
    CONFIG.get_or_init(make).clone()
}

fn versions(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| error.to_string())
}

/// The certificates of a PEM file; blocks that are none are passed over.
fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .flatten()
        .filter(|der| RootCertStore::empty().add(der.clone()).is_ok())
        .collect()
}

fn identity(
    cert: &[u8],
    key: &[u8],
    provider: &CryptoProvider,
) -> Result<Arc<SingleCertAndKey>, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(cert).flatten().collect();
    if chain.is_empty() {
        return Err("the file has no certificate in PEM".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key: {error}"))?;
    let certified =
        CertifiedKey::from_der(chain, key, provider).map_err(|error| error.to_string())?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

fn shown(path: Option<&Path>) -> std::path::Display<'_> {
    path.unwrap_or(Path::new("")).display()
}
