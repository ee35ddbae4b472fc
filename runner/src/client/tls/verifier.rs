use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};

use super::data::pem_certificate;

/// Chains that are remembered: one for each certificate of a server that was met lately.
const MAX_CHAINS: usize = 16;

/// Checks certificates of servers, and remembers for each the chain that proved it (leaf first, root
/// last), because the jobs that come over such a connection get it.
pub(super) struct ChainVerifier {
    inner: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    store: Arc<RootCertStore>,
    /// The certificates of `store`, in its order.
    roots: Vec<CertificateDer<'static>>,
    /// Certificates of the CA file. A server may show one of these itself, though it is a CA's.
    own: Vec<CertificateDer<'static>>,
    chains: Mutex<VecDeque<(CertificateDer<'static>, Arc<str>)>>,
}

impl fmt::Debug for ChainVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainVerifier")
            .field("roots", &self.roots.len())
            .field("own", &self.own.len())
            .finish_non_exhaustive()
    }
}

impl ChainVerifier {
    /// Trusts the certificates of `own` and `system`; those that cannot be read are passed over. With
    /// none at all there is nothing to check by, which is an error.
    pub(super) fn new(
        own: Vec<CertificateDer<'static>>,
        system: &[CertificateDer<'static>],
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        let mut roots = Vec::new();
        for certificate in own.iter().chain(system) {
            if store.add(certificate.clone()).is_ok() {
                roots.push(certificate.clone());
            }
        }
        let store = Arc::new(store);
        let inner =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&store), Arc::clone(&provider))
                .build()
                .map_err(|_| {
                    "no CA certificates found in the system, and none in the CA file".to_owned()
                })?;
        Ok(ChainVerifier {
            inner,
            provider,
            store,
            roots,
            own,
            chains: Mutex::default(),
        })
    }

    /// The chain that proved `leaf`, as PEM; empty if it is not known any more.
    pub(super) fn chain(&self, leaf: &[u8]) -> Arc<str> {
        let chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        let known = chains.iter().find(|(known, _)| known.as_ref() == leaf);
        known.map_or_else(|| "".into(), |(_, chain)| Arc::clone(chain))
    }

    fn remember(&self, leaf: &CertificateDer<'_>, chain: &[CertificateDer<'_>]) {
        let pem: String = chain.iter().map(|der| pem_certificate(der)).collect();
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        chains.retain(|(known, _)| known != leaf);
        chains.push_back((leaf.clone().into_owned(), pem.into()));
        if chains.len() > MAX_CHAINS {
            chains.pop_front();
        }
    }

    /// The path from `leaf` to a root, for a certificate that was found good.
    fn path<'a>(
        &'a self,
        leaf: &'a CertificateDer<'a>,
        intermediates: &'a [CertificateDer<'a>],
        now: UnixTime,
    ) -> Result<Vec<CertificateDer<'static>>, webpki::Error> {
        let end = EndEntityCert::try_from(leaf)?;
        let path = end.verify_for_usage(
            self.provider.signature_verification_algorithms.all,
            &self.store.roots,
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        )?;
        let mut chain = vec![leaf.clone().into_owned()];
        chain.extend(
            path.intermediate_certificates()
                .map(|certificate| certificate.der().into_owned()),
        );
        let anchor = path.anchor();
        let root = self
            .store
            .roots
            .iter()
            .position(|root| root == anchor)
            .and_then(|index| self.roots.get(index));
        if let Some(root) = root.filter(|root| !chain.contains(root)) {
            chain.push(root.clone());
        }
        Ok(chain)
    }

    /// Whether `leaf` stands in the CA file itself, is valid now, and is refused only because it is a
    /// CA's certificate: what `openssl req -x509` makes, and the official runner takes.
    fn is_own(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> bool {
        let refusal = self.path(leaf, intermediates, now).err();
        // Dates are checked before this.
        matches!(refusal, Some(webpki::Error::CaUsedAsEndEntity))
            && self.own.contains(leaf)
            && EndEntityCert::try_from(leaf)
                .and_then(|end| end.verify_is_valid_for_subject_name(name))
                .is_ok()
    }
}

impl ServerCertVerifier for ChainVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self
            .inner
            .verify_server_cert(leaf, intermediates, name, ocsp, now)
        {
            Ok(verified) => {
                if let Ok(chain) = self.path(leaf, intermediates, now) {
                    self.remember(leaf, &chain);
                }
                Ok(verified)
            }
            Err(_) if self.is_own(leaf, intermediates, name, now) => {
                self.remember(leaf, std::slice::from_ref(leaf));
                Ok(ServerCertVerified::assertion())
            }
            Err(error) => Err(error),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    fn authority(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params
    }

    /// Goal: without a CA file, the chain of a job is that of the server, from its certificate by way of
    /// what the server sent to the system's root; what is not part of the way is left out.
    ///
    /// Proves WIRE-PAY-13.
    #[test]
    fn the_chain_that_proved_a_server() {
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(authority("root"), key()).unwrap();
        let other = CertifiedIssuer::self_signed(authority("other"), key()).unwrap();
        let middle = CertifiedIssuer::signed_by(authority("middle"), key(), &root).unwrap();
        let params = CertificateParams::new(vec!["gitlab.test".to_owned()]).unwrap();
        let leaf = params.signed_by(&key(), &middle).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let system = [
            other.der().clone(),
            CertificateDer::from(vec![1, 2, 3]),
            root.der().clone(),
        ];
        let verifier = ChainVerifier::new(Vec::new(), &system, provider.clone()).unwrap();
        let sent = [
            other.der().clone(),
            middle.der().clone(),
            root.der().clone(),
        ];
        let name = ServerName::try_from("gitlab.test").unwrap();
        assert_eq!(&*verifier.chain(leaf.der()), "");
        verifier
            .verify_server_cert(leaf.der(), &sent, &name, &[], UnixTime::now())
            .unwrap();
        let lines = |pem: &str| pem.replace("\r\n", "\n");
        let expected = [leaf.pem(), middle.pem(), root.pem()].concat();
        assert_eq!(&*verifier.chain(leaf.der()), lines(&expected));
        assert_eq!(&*verifier.chain(middle.der()), "");

        let elsewhere = ServerName::try_from("elsewhere.test").unwrap();
        let refused =
            verifier.verify_server_cert(leaf.der(), &sent, &elsewhere, &[], UnixTime::now());
        assert!(refused.is_err());
        let nobody = ChainVerifier::new(Vec::new(), &[], provider);
        assert!(nobody.is_err(), "nobody to trust");
    }
}
