use std::fmt;
use std::io;
use std::str::FromStr;

use tokio::net::TcpListener;

/// Port of the metrics server when `listen_address` names none.
const DEFAULT_PORT: u16 = 9252;

/// Where metrics and debug pages are served (`listen_address`, `--listen-address`): host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// Host; empty: every address of the machine.
    host: String,
    port: u16,
}

/// `listen_address` is neither `host` nor `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid listen address: {0}")]
pub struct InvalidListenAddress(String);

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    /// Takes `host`, `host:port`, `:port`, and IPv6 hosts in brackets. The port is 9252 by default
    /// (RUN-MON-01).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ListenAddress::parse(text, Some(DEFAULT_PORT))
    }
}

impl ListenAddress {
    /// Takes `host`, `host:port`, `:port`, and IPv6 hosts in brackets. Without a default a port must be
    /// there.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, InvalidListenAddress> {
        let invalid = |why: &str| InvalidListenAddress(format!("address {text}: {why}"));
        let (host, port) = match text.rfind(':') {
            Some(colon) if !text.ends_with(']') => (&text[..colon], Some(&text[colon + 1..])),
            _ => (text, None),
        };
        let bare = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .ok_or_else(|| invalid("missing ']' in address"))?,
            None if host.contains(':') => return Err(invalid("too many colons in address")),
            None => host,
        };
        let port = match port {
            None => default_port.ok_or_else(|| invalid("missing port in address"))?,
            Some(port) => port
                .parse()
                .map_err(|_| invalid(&format!("invalid port \"{port}\"")))?,
        };
        Ok(ListenAddress {
            host: bare.to_owned(),
            port,
        })
    }

    /// The same host with another port.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        ListenAddress {
            host: self.host.clone(),
            port,
        }
    }

    /// Listens there. Every address of the machine means both kinds; where there is no IPv6, IPv4 alone.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        match TcpListener::bind(self.socket()).await {
            Err(error)
                if self.is_any()
                    && !matches!(
                        error.kind(),
                        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
                    ) =>
            {
                TcpListener::bind(("0.0.0.0", self.port)).await
            }
            bound => bound,
        }
    }

    /// Whether no host is named.
    pub fn is_any(&self) -> bool {
        self.host.is_empty()
    }

    /// Host and port as a socket takes them; every address of the machine when no host is named.
    pub fn socket(&self) -> (&str, u16) {
        let host = if self.host.is_empty() {
            // Takes IPv4 too where the system allows it, as Go's listener does.
            "::"
        } else {
            &self.host
        };
        (host, self.port)
    }
}

/// Why an address cannot be listened on, in the recorded words where there are some.
pub(crate) fn why_not_bound(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "bind: address already in use".to_owned(),
        io::ErrorKind::PermissionDenied => "bind: permission denied".to_owned(),
        _ => error.to_string(),
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: which addresses are taken; 9252 where no port is named.
    ///
    /// Proves RUN-MON-01.
    #[test]
    fn addresses() {
        for (text, shown, socket) in [
            (":9252", ":9252", ("::", 9252)),
            ("127.0.0.1", "127.0.0.1:9252", ("127.0.0.1", 9252)),
            ("127.0.0.1:19252", "127.0.0.1:19252", ("127.0.0.1", 19252)),
            ("localhost:1", "localhost:1", ("localhost", 1)),
            ("[::1]", "[::1]:9252", ("::1", 9252)),
            ("[::1]:80", "[::1]:80", ("::1", 80)),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.socket(), socket);
        }
        for text in ["::1", "host:port", "host:70000", "[::1", "a:1:2"] {
            let error = text.parse::<ListenAddress>().unwrap_err();
            assert!(error.to_string().starts_with("invalid listen address: "));
        }
    }
}
