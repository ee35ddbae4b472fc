//! Who may look at the page. It changes nothing, but it shows logs.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, HeaderValue};
use http::{HeaderMap, StatusCode};

/// Who may look.
#[derive(Clone)]
pub enum Access {
    /// Who is on this machine. A request must name it as `localhost` or by a loopback address, so that no
    /// other site reaches the page through a name of its own.
    ThisMachine,
    /// Who knows the administrator's token: it is the password, with any name.
    Token(Arc<str>),
}

impl Access {
    /// The status to refuse with, if any.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        match self {
            Access::ThisMachine => {
                let host = headers.get(HOST);
                let named = |host: &HeaderValue| host.to_str().is_ok_and(is_this_machine);
                // In the same process there is none.
                if host.is_none_or(named) {
                    Ok(())
                } else {
                    Err(StatusCode::FORBIDDEN)
                }
            }
            Access::Token(token) => {
                let given = password(headers);
                if given.is_some_and(|given| same(&given, token.as_bytes())) {
                    Ok(())
                } else {
                    Err(StatusCode::UNAUTHORIZED)
                }
            }
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else {
        return false;
    };
    let name = authority.host();
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded[colon + 1..].to_vec())
}

/// Compares in a time that depends on the lengths only.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differences = one
        .iter()
        .zip(other)
        .fold(0, |all, (one, other)| all | (one ^ other));
    one.len() == other.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine() {
        let check = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            Access::ThisMachine.check(&headers)
        };
        for host in [
            "127.0.0.1:80",
            "localhost",
            "LOCALHOST:8080",
            "[::1]:80",
            "127.1.2.3",
        ] {
            assert_eq!(check(host), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:80",
            "192.168.0.1",
            "",
        ] {
            assert_eq!(check(host), Err(StatusCode::FORBIDDEN), "{host}");
        }
    }

    #[test]
    fn only_who_knows_the_token() {
        let access = Access::Token(Arc::from("glpat-secret"));
        let check = |text: &str| {
            let mut headers = HeaderMap::new();
            let value = format!("Basic {}", STANDARD.encode(text));
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            access.check(&headers)
        };
        assert_eq!(check("root:glpat-secret"), Ok(()));
        for text in [
            "root:glpat-secre",
            "root:glpat-secret2",
            "glpat-secret",
            "root:",
            "",
        ] {
            assert_eq!(check(text), Err(StatusCode::UNAUTHORIZED), "{text}");
        }
        assert!(access.check(&HeaderMap::new()).is_err());
    }
}
