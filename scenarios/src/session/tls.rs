//! TLS of a replay: certificates made on the spot, put where the runner looks for them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// Name and address that the certificates are for.
const ADDRESS: &str = "127.0.0.1";

/// What goes wrong: of several libraries, and never the reader's fault.
pub(super) type TlsError = Box<dyn std::error::Error + Send + Sync>;

/// Makes a private CA, a server that wants a client certificate of it, and writes into `folder` what the
/// runner needs: `<host>.crt`, `<host>.auth.crt`, `<host>.auth.key`.
pub(super) fn set(folder: &Path) -> Result<TlsAcceptor, TlsError> {
    let ca = CertifiedIssuer::self_signed(authority(), KeyPair::generate()?)?;
    let client = KeyPair::generate()?;
    let client_cert =
        leaf("runner", ExtendedKeyUsagePurpose::ClientAuth)?.signed_by(&client, &ca)?;
    fs::create_dir_all(folder)?;
    for (end, text) in [
        (".crt", ca.pem()),
        (".auth.crt", client_cert.pem()),
        (".auth.key", client.serialize_pem()),
    ] {
        fs::write(folder.join(format!("{ADDRESS}{end}")), text)?;
    }
    let server = KeyPair::generate()?;
    let server_cert =
        leaf(ADDRESS, ExtendedKeyUsagePurpose::ServerAuth)?.signed_by(&server, &ca)?;
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone())?;
    let provider = Arc::new(ring::default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![server_cert.der().clone()],
            PrivatePkcs8KeyDer::from(server.serialize_der()).into(),
        )?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "replay");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf(name: &str, usage: ExtendedKeyUsagePurpose) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![usage];
    Ok(params)
}
