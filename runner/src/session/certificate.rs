//! The server's certificate: self-signed, made at start, never written anywhere.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};
use rcgen::string::PrintableString;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};

use crate::client::pem_certificate;

/// `O` of subject and issuer.
const ORGANIZATION: &str = "GitLab Runner";
/// How long it is valid.
const YEARS: i16 = 2;

/// A certificate with its key.
#[derive(Debug)]
pub(super) struct OwnCertificate {
    /// For GitLab, PEM.
    pub(super) pem: String,
    /// For the server: TLS 1.2 or newer, HTTP/1.1.
    pub(super) tls: Arc<ServerConfig>,
}

impl OwnCertificate {
    /// A new one for `host`, valid from `now` on. The key is ECDSA on P-256, because ring
    /// makes no RSA keys.
    pub(super) fn new(host: &str, now: Timestamp) -> Result<Self, Box<dyn std::error::Error>> {
        let key = KeyPair::generate()?;
        let certificate = params(host, now)?.self_signed(&key)?;
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der())?,
            )?;
        Ok(OwnCertificate {
            pem: pem_certificate(certificate.der()),
            tls: Arc::new(tls),
        })
    }
}

fn params(host: &str, now: Timestamp) -> Result<CertificateParams, Box<dyn std::error::Error>> {
    let begin = Offset::UTC.to_datetime(now);
    let end = begin.checked_add(Span::new().years(YEARS))?;
    // Whole days, and the time of day on top of them.
    let date = |time: DateTime| {
        let (month, day) = (time.month().unsigned_abs(), time.day().unsigned_abs());
        let part = |number: i8| u64::from(number.unsigned_abs());
        let seconds = (part(time.hour()) * 60 + part(time.minute())) * 60 + part(time.second());
        rcgen::date_time_ymd(time.year().into(), month, day) + Duration::from_secs(seconds)
    };
    let mut subject = DistinguishedName::new();
    let organization = DnValue::PrintableString(PrintableString::try_from(ORGANIZATION)?);
    subject.push(DnType::OrganizationName, organization);
    let mut params = CertificateParams::default();
    params.not_before = date(begin);
    params.not_after = date(end);
    params.distinguished_name = subject;
    params.subject_alt_names = vec![match host.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(host.try_into()?),
    }];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

#[cfg(test)]
mod tests {
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::*;

    /// Goal: who trusts the certificate of the session takes it for the advertised host, from now on for
    /// two years, and for no other host; the organisation is the recorded one, and nobody else is named.
    #[test]
    fn good_for_its_host_for_two_years() {
        let now: Timestamp = "2026-11-25T03:40:22Z".parse().unwrap();
        let provider = Arc::new(ring::default_provider());
        for host in ["runner.example.com", "127.0.0.1", "2001:db8::1"] {
            let own = OwnCertificate::new(host, now).unwrap();
            let der = CertificateDer::from_pem_slice(own.pem.as_bytes()).unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(der.clone()).unwrap();
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                    .build()
                    .unwrap();
            let good = |host: &str, second: &str| {
                let name = ServerName::try_from(host.to_owned()).unwrap();
                let at: Timestamp = second.parse().unwrap();
                let at = Duration::from_secs(at.as_second().unsigned_abs());
                let at = UnixTime::since_unix_epoch(at);
                verifier
                    .verify_server_cert(&der, &[], &name, &[], at)
                    .is_ok()
            };
            assert!(good(host, "2026-11-25T03:40:22Z"), "{host}");
            assert!(good(host, "2028-11-25T03:40:22Z"), "{host}");
            assert!(!good(host, "2026-11-25T03:40:21Z"), "{host}: before");
            assert!(!good(host, "2028-11-25T03:40:23Z"), "{host}: after");
            assert!(!good("other.example.com", "2027-11-25T03:40:22Z"));
            // Tag of the attribute (2.5.4.10), PrintableString, length, text; subject and issuer.
            let organization = [b"\x06\x03\x55\x04\x0a\x13\x0d", ORGANIZATION.as_bytes()].concat();
            let count = der.windows(organization.len());
            assert_eq!(count.filter(|part| *part == organization).count(), 2);
            assert!(!der.windows(5).any(|part| part == b"rcgen"));
        }
        assert!(OwnCertificate::new("h\u{f6}st", now).is_err());
    }
}
