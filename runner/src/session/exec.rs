//! What must hold before somebody gets a terminal: `/session/<id>/exec` (runner.md 13, RUN-MON-03).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::session::{Session, TerminalSlot};
use super::terminal::Framing;
use crate::executor::TerminalConnection;

/// Bytes behind `Sec-WebSocket-Key` (RFC 6455, 4.1).
const KEY_BYTES: usize = 16;

/// A client that gets a terminal.
pub(super) struct Admitted {
    pub(super) slot: TerminalSlot,
    pub(super) connection: Box<dyn TerminalConnection>,
    /// `Sec-WebSocket-Accept`.
    pub(super) accept: String,
    /// Agreed subprotocol; `None`: the client asked for none of ours.
    pub(super) framing: Option<Framing>,
}

/// Lets a client in, or says with which status not. Waits for the job to be ready.
pub(super) async fn admit(session: &Arc<Session>, request: &Parts) -> Result<Admitted, StatusCode> {
    let (builds, max_builds) = session.counts();
    let uri = request.uri.to_string();
    tracing::debug!(builds, max_builds, uri, "Exec terminal session request");
    if !is_websocket(&request.headers) {
        tracing::error!(
            builds,
            max_builds,
            uri,
            "Request is not a web socket connection"
        );
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Some(terminal) = session.terminal().await else {
        tracing::error!(builds, max_builds, uri, "Interactive terminal not set");
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    };
    let Some(mut slot) = session.take() else {
        tracing::warn!(
            builds,
            max_builds,
            uri,
            "Terminal already connected, revoking connection"
        );
        return Err(StatusCode::LOCKED);
    };
    // Before a shell is started for somebody who cannot have it.
    let accept = accept(request).map_err(|(status, error)| {
        tracing::info!(error, "Terminal: upgrading client to websocket failed");
        status
    })?;
    let connection = terminal.connect().await.map_err(|error| {
        tracing::error!(
            builds,
            error,
            max_builds,
            uri,
            "Failed to connect to terminal"
        );
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    slot.connected();
    Ok(Admitted {
        slot,
        connection,
        accept,
        framing: subprotocol(&request.headers),
    })
}

/// Whether the request carries the session's token. Says so where not.
pub(super) fn is_authorized(session: &Session, request: &Parts) -> bool {
    let given = request.headers.get(header::AUTHORIZATION);
    let authorized = session.authorizes(given.map(header::HeaderValue::as_bytes));
    if !authorized {
        let (builds, max_builds) = session.counts();
        let uri = request.uri.to_string();
        tracing::error!(builds, max_builds, uri, "Authorization header is not valid");
    }
    authorized
}

/// The words of a header that is a list.
fn words(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let has = |name, word: &str| words(headers, name).any(|found| found.eq_ignore_ascii_case(word));
    has(header::CONNECTION, "upgrade") && has(header::UPGRADE, "websocket")
}

/// The answer to the client's key; else the status and what is wrong.
fn accept(request: &Parts) -> Result<String, (StatusCode, &'static str)> {
    let bad = |why| Err((StatusCode::BAD_REQUEST, why));
    if request.method != Method::GET {
        return Err((
            StatusCode::METHOD_NOT_ALLOWED,
            "the method of the request is not GET",
        ));
    }
    if !words(&request.headers, header::SEC_WEBSOCKET_VERSION).any(|version| version == "13") {
        return bad("Sec-WebSocket-Version is not 13");
    }
    if !is_same_origin(&request.headers) {
        return Err((
            StatusCode::FORBIDDEN,
            "the page of the request comes from another origin",
        ));
    }
    let key = request.headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.map(header::HeaderValue::as_bytes).unwrap_or_default();
    if !STANDARD
        .decode(key)
        .is_ok_and(|bytes| bytes.len() == KEY_BYTES)
    {
        return bad("Sec-WebSocket-Key is not 16 bytes in Base64");
    }
    Ok(derive_accept_key(key))
}

/// A browser names the page that opens the connection; only pages of this host may.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let host = |value: &header::HeaderValue| value.to_str().map(str::to_ascii_lowercase).ok();
    let origin = host(origin);
    let origin = origin
        .as_deref()
        .and_then(|origin| origin.split_once("://"))
        .map(|(_, host)| host);
    let own = headers.get(header::HOST).and_then(host);
    origin.is_some() && origin == own.as_deref()
}

/// The first of ours that the client knows.
fn subprotocol(headers: &HeaderMap) -> Option<Framing> {
    [Framing::Raw, Framing::Base64].into_iter().find(|framing| {
        words(headers, header::SEC_WEBSOCKET_PROTOCOL).any(|name| name == framing.subprotocol())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Request;
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::client::transport::BoxFuture;
    use crate::executor::Terminal;

    /// A terminal that cannot be had.
    #[derive(Debug)]
    struct Broken;

    impl Terminal for Broken {
        fn connect(&self) -> BoxFuture<'_, Result<Box<dyn TerminalConnection>, String>> {
            Box::pin(async { Err("no pty is free".to_owned()) })
        }
    }

    fn session() -> Arc<Session> {
        let token = "0".repeat(64);
        Session::new(
            "/session/x".to_owned(),
            token,
            (0, 1),
            CancellationToken::new(),
        )
    }

    fn request(more: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/session/x/exec")
            .header("host", "runner.example.com:8093")
            .header("upgrade", "WebSocket")
            .header("connection", "keep-alive, Upgrade")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let headers = request.headers_mut().unwrap();
        for (name, value) in more {
            let name: HeaderName = name.parse().unwrap();
            headers.remove(&name);
            if !value.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
        }
        request.body(()).unwrap().into_parts().0
    }

    /// Goal: a client waits a minute for the job to be ready, not longer; and not at all for a job that
    /// has ended.
    ///
    /// Proves RUN-MON-03.
    #[tokio::test(start_paused = true)]
    async fn not_ready_within_a_minute() {
        let session = session();
        let begin = Instant::now();
        let refused = admit(&session, &request(&[])).await.err();
        assert_eq!(refused, Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(begin.elapsed(), Duration::from_mins(1));

        // Ready in time: the next step.
        let begin = Instant::now();
        let (ask, ready) = (request(&[]), async {
            tokio::time::sleep(Duration::from_secs(59)).await;
            session.set_terminal(Arc::new(Broken));
        });
        let (refused, ()) = tokio::join!(admit(&session, &ask), ready);
        assert_eq!(refused.err(), Some(StatusCode::INTERNAL_SERVER_ERROR));
        assert_eq!(begin.elapsed(), Duration::from_secs(59));

        session.close("over");
        let refused = admit(&session, &ask).await.err();
        assert_eq!(refused, Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(begin.elapsed(), Duration::from_secs(59));
    }

    /// Goal: which refusal comes first; one that fails later leaves the terminal free.
    ///
    /// Proves RUN-MON-03.
    #[tokio::test(start_paused = true)]
    async fn refusals_in_their_order() {
        let session = session();
        session.set_terminal(Arc::new(Broken));
        let refused = async |more: &[(&str, &str)]| admit(&session, &request(more)).await.err();
        for more in [("upgrade", ""), ("upgrade", "h2c"), ("connection", "close")] {
            let status = refused(&[more]).await;
            assert_eq!(status, Some(StatusCode::METHOD_NOT_ALLOWED), "{more:?}");
        }
        {
            let _taken = session.take().unwrap();
            assert_eq!(refused(&[]).await, Some(StatusCode::LOCKED));
        }
        for (more, status) in [
            (("sec-websocket-version", "12"), 400),
            (("sec-websocket-version", ""), 400),
            (("sec-websocket-key", ""), 400),
            (("sec-websocket-key", "c2hvcnQ="), 400),
            (("origin", "https://evil.example.com"), 403),
            (("origin", "null"), 403),
            (("origin", "https://Runner.example.com:8093"), 500),
            (("accept", "*/*"), 500),
        ] {
            let found = refused(&[more]).await.map(|status| status.as_u16());
            assert_eq!(found, Some(status), "{more:?}");
            assert!(!session.is_connected(), "{more:?}");
        }
    }

    /// Goal: the token must be the whole header, letter for letter.
    ///
    /// Proves RUN-MON-03.
    #[test]
    fn only_the_token_opens() {
        let session = session();
        let token = "0".repeat(64);
        let longer = format!("{token}0");
        let bearer = format!("Bearer {token}");
        for (given, good) in [
            (token.as_str(), true),
            ("", false),
            ("0", false),
            (&token[1..], false),
            (&longer, false),
            (&bearer, false),
            (&token.replacen('0', "1", 1), false),
        ] {
            let request = request(&[("authorization", given)]);
            assert_eq!(is_authorized(&session, &request), good, "{given:?}");
        }
    }

    /// Goal: the subprotocols of executors.md 9; ours are asked in their order, others are passed over.
    #[test]
    fn subprotocols() {
        for (asked, expected) in [
            ("", None),
            ("channel.k8s.io", None),
            ("terminal.gitlab.com", Some(Framing::Raw)),
            ("x, base64.terminal.gitlab.com", Some(Framing::Base64)),
            (
                "base64.terminal.gitlab.com,terminal.gitlab.com",
                Some(Framing::Raw),
            ),
        ] {
            let request = request(&[("sec-websocket-protocol", asked)]);
            assert_eq!(subprotocol(&request.headers), expected, "{asked}");
        }
    }
}
