//! Certificates made on the spot, and servers that show them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::raw::serve;

/// A certificate and its key, PEM.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Pair {
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.cert.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap()
    }

    /// The first certificate, DER.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        self.chain()[0].to_vec()
    }
}

/// One that signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    /// A root.
    pub(crate) fn root(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::self_signed(authority_params(name), key).unwrap())
    }

    /// One below this.
    pub(crate) fn below(&self, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::signed_by(authority_params(name), key, &self.0).unwrap())
    }

    /// Its certificate, PEM.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server's certificate for `names`.
    pub(crate) fn server(&self, names: &[&str]) -> Pair {
        self.pair(names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's certificate.
    pub(crate) fn client(&self, name: &str) -> Pair {
        self.pair(&[name], ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn pair(&self, names: &[&str], usage: ExtendedKeyUsagePurpose) -> Pair {
        let mut params = params(names[0], names);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        Pair {
            cert: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

/// What `openssl req -x509` makes: a server's certificate, signed by itself, marked as a CA's.
pub(crate) fn self_signed(names: &[&str], is_authority: bool) -> Pair {
    let mut params = params(names[0], names);
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    Pair {
        cert: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

/// What a TLS server saw of one connection: the client's certificate (DER), if it showed one.
type Clients = Arc<Mutex<Vec<Option<Vec<u8>>>>>;

/// Answers every request alike, over TLS.
#[derive(Debug)]
pub(crate) struct TlsServer {
    address: SocketAddr,
    clients: Clients,
    heads: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl TlsServer {
    /// Shows `pair`, gives `answer`, and asks for client certificates of `clients`, without which it
    /// serves too.
    pub(crate) async fn start(pair: &Pair, clients: Option<&Authority>, answer: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server_config(pair, clients)));
        let seen = Clients::default();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let answer = answer.to_vec();
        let (certificates, lines) = (Arc::clone(&seen), Arc::clone(&heads));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let shown = stream.get_ref().1.peer_certificates();
                let shown = shown
                    .and_then(|chain| chain.first())
                    .map(|der| der.to_vec());
                certificates.lock().unwrap().push(shown);
                let (answer, lines) = (answer.clone(), Arc::clone(&lines));
                tokio::spawn(async move {
                    let answer = |head: &str| {
                        lines.lock().unwrap().push(head.to_owned());
                        answer.clone()
                    };
                    serve(stream, &answer).await;
                });
            }
        });
        TlsServer {
            address,
            clients: seen,
            heads,
            task,
        }
    }

    /// Its URL by the name `localhost`.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Certificates of clients, one for each connection.
    pub(crate) fn clients(&self) -> Vec<Option<Vec<u8>>> {
        self.clients.lock().unwrap().clone()
    }

    /// Heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn server_config(pair: &Pair, clients: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    builder.with_single_cert(pair.chain(), key).unwrap()
}

/// Writes a file whose modification time is `minute` minutes after a fixed moment, so that a change is
/// seen on file systems of any resolution.
pub(crate) fn write(path: &Path, text: &str, minute: u64) {
    std::fs::write(path, text).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000 + minute * 60);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}
