use std::io;
use std::time::Duration;

use http::uri::Authority;

use crate::config::Config;
use crate::metrics::ListenAddress;

/// `[session_server]` (runner.md 3.2), read once per process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// `listen_address`: `host:port`. Port 0: one of the system's choice.
    pub listen_address: String,
    /// `advertise_address`: `host:port` by which GitLab reaches the server, without a scheme; empty:
    /// `listen_address`.
    pub advertise_address: String,
    /// `session_timeout`: how long a job that has ended waits for its terminal; 30 min by default.
    pub session_timeout: Duration,
}

/// Why there is no session server.
#[derive(Debug, thiserror::Error)]
pub enum SessionServerError {
    /// The configuration names no usable address.
    #[error("[session_server].{key} {text:?}: {why}")]
    Address {
        /// `listen_address` or `advertise_address`.
        key: &'static str,
        /// Its value.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The address cannot be listened on.
    #[error("listen tcp {address}: {why}")]
    Listen {
        /// The address.
        address: String,
        /// Why not.
        why: String,
    },
    /// The certificate cannot be made.
    #[error("certificate for {host:?}: {why}")]
    Certificate {
        /// Host that it is for.
        host: String,
        /// Why not.
        why: String,
    },
}

impl SessionServerError {
    fn address(key: &'static str, text: &str, why: impl Into<String>) -> Self {
        SessionServerError::Address {
            key,
            text: text.to_owned(),
            why: why.into(),
        }
    }

    pub(super) fn listen(address: &ListenAddress, error: &io::Error) -> Self {
        SessionServerError::Listen {
            address: address.to_string(),
            why: crate::metrics::why_not_bound(error),
        }
    }
}

/// Where GitLab is told to look for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Advertised {
    /// `https://host:port`, without a path.
    pub(super) url: String,
    /// Name or address in the certificate, without brackets.
    pub(super) host: String,
}

impl SessionSettings {
    /// The settings of `config`; `None` without a `listen_address`: there is no session server.
    pub fn of(config: &Config) -> Option<SessionSettings> {
        let table = config.global().table("session_server")?;
        let listen_address = table.text("listen_address");
        if listen_address.is_empty() {
            return None;
        }
        Some(SessionSettings {
            listen_address: listen_address.to_owned(),
            advertise_address: table.text("advertise_address").to_owned(),
            // The configuration has put the default in place of what is not positive.
            session_timeout: Duration::from_secs(table.integer("session_timeout").unsigned_abs()),
        })
    }

    pub(super) fn listen(&self) -> Result<ListenAddress, SessionServerError> {
        let text = &self.listen_address;
        ListenAddress::parse(text, None)
            .map_err(|error| SessionServerError::address("listen_address", text, error.to_string()))
    }

    /// What GitLab is told, for a server that listens on `listen`, whose port is `port`.
    pub(super) fn advertised(
        &self,
        listen: &ListenAddress,
        port: u16,
    ) -> Result<Advertised, SessionServerError> {
        let text = &self.advertise_address;
        if text.is_empty() {
            if listen.is_any() {
                return Err(SessionServerError::address(
                    "listen_address",
                    &self.listen_address,
                    "it names no host by which GitLab could reach it: set advertise_address to host:port",
                ));
            }
            return Ok(Advertised {
                url: format!("https://{}", listen.with_port(port)),
                host: listen.socket().0.to_owned(),
            });
        }
        let wrong = |why: &str| SessionServerError::address("advertise_address", text, why);
        if text.contains("://") {
            return Err(wrong("url not valid, scheme defined: write host:port"));
        }
        let authority: Authority = text
            .parse()
            .map_err(|error| wrong(&format!("{error}: write host:port")))?;
        let host = authority.host();
        let has_port = authority.port_u16().is_some() || !text[host.len()..].starts_with(':');
        if host.is_empty() || text.contains('@') || !has_port {
            return Err(wrong("write host:port"));
        }
        Ok(Advertised {
            url: format!("https://{authority}"),
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: &str, advertise: &str) -> SessionSettings {
        SessionSettings {
            listen_address: listen.to_owned(),
            advertise_address: advertise.to_owned(),
            session_timeout: Duration::from_mins(30),
        }
    }

    fn advertised(listen: &str, advertise: &str) -> Result<(String, String), String> {
        let settings = settings(listen, advertise);
        let found = settings
            .listen()
            .and_then(|listen| settings.advertised(&listen, 8093));
        found
            .map(|advertised| (advertised.url, advertised.host))
            .map_err(|error| error.to_string())
    }

    /// Goal: what GitLab is told, and for which host the certificate is.
    #[test]
    fn what_is_advertised() {
        for (listen, advertise, url, host) in [
            ("127.0.0.1:8093", "", "https://127.0.0.1:8093", "127.0.0.1"),
            ("127.0.0.1:0", "", "https://127.0.0.1:8093", "127.0.0.1"),
            ("[::1]:8093", "", "https://[::1]:8093", "::1"),
            (
                "127.0.0.1:8093",
                "runner.example.com:8093",
                "https://runner.example.com:8093",
                "runner.example.com",
            ),
            (
                ":8093",
                "[2001:db8::1]:443",
                "https://[2001:db8::1]:443",
                "2001:db8::1",
            ),
            // Behind a proxy at the port of HTTPS.
            (
                ":8093",
                "runner.example.com",
                "https://runner.example.com",
                "runner.example.com",
            ),
        ] {
            let expected = (url.to_owned(), host.to_owned());
            assert_eq!(
                advertised(listen, advertise),
                Ok(expected),
                "{listen} {advertise}"
            );
        }
    }

    /// Goal: an address that cannot be used is refused, with the key, the value and what to do.
    #[test]
    fn bad_addresses() {
        for (listen, advertise, text) in [
            (
                "127.0.0.1",
                "",
                "[session_server].listen_address \"127.0.0.1\": invalid listen address: address 127.0.0.1: missing port in address",
            ),
            (
                "127.0.0.1:x",
                "",
                "[session_server].listen_address \"127.0.0.1:x\": invalid listen address: address 127.0.0.1:x: invalid port \"x\"",
            ),
            (
                ":8093",
                "",
                "[session_server].listen_address \":8093\": it names no host by which GitLab could reach it: set advertise_address to host:port",
            ),
            (
                ":8093",
                "https://runner.example.com:8093",
                "[session_server].advertise_address \"https://runner.example.com:8093\": url not valid, scheme defined: write host:port",
            ),
        ] {
            assert_eq!(advertised(listen, advertise), Err(text.to_owned()));
        }
        for advertise in [
            "host:port",
            "host:70000",
            "host:",
            ":8093",
            "a@b:1",
            "host/path",
            "a b:1",
        ] {
            let error = advertised(":8093", advertise).unwrap_err();
            assert!(
                error.starts_with("[session_server].advertise_address")
                    && error.ends_with("write host:port"),
                "{advertise}: {error}"
            );
        }
    }

    /// Goal: there is a session server where an address to listen on is configured; the timeout is 30
    /// minutes unless a positive one is set.
    #[test]
    fn settings_of_a_configuration() {
        let of = |text: &str| SessionSettings::of(&Config::parse_with(text, &|_| None).unwrap());
        assert_eq!(of(""), None);
        assert_eq!(of("[session_server]\nadvertise_address = 'h:1'"), None);
        for (more, seconds) in [
            ("", 1800),
            ("session_timeout = 0", 1800),
            ("session_timeout = -5", 1800),
            ("session_timeout = 5", 5),
        ] {
            let text = format!("[session_server]\nlisten_address = 'h:1'\n{more}");
            let timeout = of(&text).unwrap().session_timeout;
            assert_eq!(timeout, Duration::from_secs(seconds), "{more}");
        }
    }
}
