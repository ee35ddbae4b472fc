use std::path::PathBuf;

/// TLS files of a `[[runners]]` entry (wire.md 1.4). Empty: not set, then looked for in `directory`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// `tls-ca-file`.
    pub ca: String,
    /// `tls-cert-file`.
    pub cert: String,
    /// `tls-key-file`.
    pub key: String,
    /// Where `<host>.crt`, `<host>.auth.crt` and `<host>.auth.key` are looked for (WIRE-CON-11).
    pub directory: Option<PathBuf>,
}

impl TlsFiles {
    /// The files for `host` (a name without port): CA, client certificate, client key.
    pub fn paths(&self, host: &str) -> [Option<PathBuf>; 3] {
        let pick = |set: &str, suffix: &str| {
            if !set.is_empty() {
                return Some(PathBuf::from(set));
            }
            self.directory
                .as_ref()
                .map(|directory| directory.join(format!("{host}{suffix}")))
        };
        [
            pick(&self.ca, ".crt"),
            pick(&self.cert, ".auth.crt"),
            pick(&self.key, ".auth.key"),
        ]
    }
}
