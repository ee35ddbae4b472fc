/// Certificates that a job's own requests to the server need: they become `CI_SERVER_TLS_*`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsData {
    /// CA chain, PEM.
    pub ca_chain: String,
    /// Client certificate, PEM.
    pub cert: String,
    /// Client key, PEM.
    pub key: String,
}

impl std::fmt::Debug for TlsData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsData")
            .field("ca_chain_bytes", &self.ca_chain.len())
            .field("cert_bytes", &self.cert.len())
            .finish_non_exhaustive()
    }
}

/// `der` as one PEM block.
pub(crate) fn pem_certificate(der: &[u8]) -> String {
    use base64::Engine as _;
    const LINE: usize = 64;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::with_capacity(text.len() + text.len() / LINE + 60);
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
