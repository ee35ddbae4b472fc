use http::{Method, StatusCode};
use reqwest::Url;

/// Requests of one attempt, redirects included (WIRE-CON-20).
pub(super) const MAX_REQUESTS: u32 = 10;

/// What an answer means for the request that it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// The answer stands as it is.
    None,
    /// The request goes to `url`.
    Follow {
        /// The next address.
        url: Url,
        /// `Referer` of the next request.
        referer: Option<String>,
        /// As a GET without body; otherwise method and body are repeated.
        as_get: bool,
        /// Whether tokens may go along.
        with_tokens: bool,
    },
    /// It cannot or must not be followed; the text says why.
    Broken(String),
}

/// What whoever gets the body of a request learns, which 307 and 308 ask to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    /// Nothing that opens a door.
    None,
    /// A token, in a call that the official runner is known to repeat at another host, and succeeds with:
    /// polls and updates (recordings `redir-poll`, `redir-job`).
    Recorded,
    /// A token.
    Token,
}

impl Secret {
    /// Whether the body may be repeated at `to` (WIRE-CON-14).
    fn may_go(self, from: &Url, to: &Url) -> bool {
        match self {
            Secret::None => true,
            Secret::Recorded => from.scheme() == "http" || to.scheme() == "https",
            Secret::Token => tokens_may_go(from, to),
        }
    }
}

/// Judges a redirect (wire.md 1.6).
///
/// 307 and 308 repeat method and body; 301-303 turn a POST into a GET. A PATCH, PUT or DELETE is not
/// turned: the official runner does, and takes the answer to the GET for the answer to the call, so that
/// a piece of log or a final update is lost, or a runner counts as removed that is not. Here such an
/// answer stands, and counts as a failure. Tokens do not go to another host (WIRE-CON-14): neither as
/// headers nor, where no recording has it otherwise, in the body, which says `secret`.
pub(super) fn judge(
    method: &Method,
    url: &Url,
    status: StatusCode,
    location: Option<&str>,
    secret: Secret,
) -> Redirect {
    let follows = match status.as_u16() {
        307 | 308 => true,
        301..=303 => method == Method::GET || method == Method::POST,
        _ => false,
    };
    let Some(location) = location.filter(|location| follows && !location.is_empty()) else {
        return Redirect::None;
    };
    let as_get = status.as_u16() <= 303;
    match url.join(location) {
        Ok(next) if !matches!(next.scheme(), "http" | "https") => {
            Redirect::Broken(format!("unsupported protocol scheme \"{}\"", next.scheme()))
        }
        Ok(next) if !as_get && !secret.may_go(url, &next) => Redirect::Broken(format!(
            "the server redirects to {}, and the request holds a token, which is not sent there; if that is \
             the right server, use its address as `url`",
            next.origin().ascii_serialization()
        )),
        Ok(next) => Redirect::Follow {
            as_get,
            with_tokens: tokens_may_go(url, &next),
            referer: referer(url, &next),
            url: next,
        },
        Err(error) => Redirect::Broken(format!(
            "failed to parse Location header {location:?}: {error}"
        )),
    }
}

/// Tokens stay with scheme, host and port. From `http` to `https` of the same host they go along: that
/// is how a GitLab with a URL of old days sends its runners on.
fn tokens_may_go(from: &Url, to: &Url) -> bool {
    let upgraded = from.scheme() == "http" && to.scheme() == "https";
    from.origin() == to.origin() || (upgraded && from.host() == to.host())
}

/// The `Referer` of a request to `to` after an answer from `from`: none on the way from `https` to
/// `http`.
fn referer(from: &Url, to: &Url) -> Option<String> {
    let downgraded = from.scheme() == "https" && to.scheme() == "http";
    (!downgraded).then(|| {
        let mut shown = from.clone();
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.set_fragment(None);
        shown.to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves WIRE-CON-13, WIRE-CON-14.
    ///
    /// Goal: a table of statuses, methods and locations (wire.md 1.6), with the wanted difference
    /// for 301-303 (see `docs/differences.md`).
    #[test]
    fn redirects() {
        const HERE: &str = "http://h.example:8080/api/v4/jobs/request";
        const SECURE: &str = "https://h.example/api/v4/jobs/request";
        let follow = |url: &str, as_get, with_tokens| Some((url.to_owned(), as_get, with_tokens));
        for (from, method, status, location, expected) in [
            (
                HERE,
                "POST",
                307,
                "/x",
                follow("http://h.example:8080/x", false, true),
            ),
            (
                HERE,
                "PATCH",
                308,
                "y",
                follow("http://h.example:8080/api/v4/jobs/y", false, true),
            ),
            (
                HERE,
                "DELETE",
                308,
                "y",
                follow("http://h.example:8080/api/v4/jobs/y", false, true),
            ),
            (
                HERE,
                "PUT",
                307,
                "http://other/z",
                follow("http://other/z", false, false),
            ),
            (
                HERE,
                "PUT",
                307,
                "//other/z",
                follow("http://other/z", false, false),
            ),
            (
                HERE,
                "PUT",
                307,
                "https://h.example/z",
                follow("https://h.example/z", false, true),
            ),
            (
                HERE,
                "PUT",
                307,
                "https://other/z",
                follow("https://other/z", false, false),
            ),
            (
                HERE,
                "PUT",
                307,
                "http://h.example/z",
                follow("http://h.example/z", false, false),
            ),
            (
                HERE,
                "PUT",
                307,
                "http://sub.h.example:8080/",
                follow("http://sub.h.example:8080/", false, false),
            ),
            (
                SECURE,
                "PUT",
                307,
                "http://h.example/z",
                follow("http://h.example/z", false, false),
            ),
            (
                SECURE,
                "PUT",
                307,
                "https://h.example:443/z",
                follow("https://h.example/z", false, true),
            ),
            (
                HERE,
                "GET",
                301,
                "/x",
                follow("http://h.example:8080/x", true, true),
            ),
            (
                HERE,
                "POST",
                301,
                "/x",
                follow("http://h.example:8080/x", true, true),
            ),
            (
                HERE,
                "POST",
                302,
                "/x",
                follow("http://h.example:8080/x", true, true),
            ),
            (
                HERE,
                "POST",
                303,
                "http://o/x",
                follow("http://o/x", true, false),
            ),
            (HERE, "PATCH", 302, "/x", None),
            (HERE, "PUT", 301, "/x", None),
            (HERE, "PUT", 303, "/x", None),
            (HERE, "DELETE", 302, "/x", None),
            (HERE, "POST", 307, "", None),
            (HERE, "POST", 302, "", None),
            (HERE, "POST", 300, "/x", None),
            (HERE, "POST", 304, "/x", None),
            (HERE, "POST", 305, "/x", None),
            (HERE, "POST", 200, "/x", None),
        ] {
            let url = Url::parse(from).unwrap();
            let status = StatusCode::from_u16(status).unwrap();
            let seen = judge(
                &method.parse().unwrap(),
                &url,
                status,
                Some(location),
                Secret::None,
            );
            let seen = match seen {
                Redirect::Follow {
                    url,
                    as_get,
                    with_tokens,
                    ..
                } => Some((url.to_string(), as_get, with_tokens)),
                Redirect::None => None,
                Redirect::Broken(message) => panic!("{message}"),
            };
            assert_eq!(seen, expected, "{from} {method} {status} {location:?}");
            if location.is_empty() {
                let seen = judge(&method.parse().unwrap(), &url, status, None, Secret::Token);
                assert_eq!(seen, Redirect::None);
            }
        }
        for location in ["ftp://x/", "http://[", "mailto:x"] {
            let url = Url::parse(HERE).unwrap();
            let seen = judge(
                &Method::POST,
                &url,
                StatusCode::TEMPORARY_REDIRECT,
                Some(location),
                Secret::None,
            );
            assert!(matches!(seen, Redirect::Broken(_)), "{seen:?}");
        }
    }

    /// Proves WIRE-CON-14.
    ///
    /// Goal: where a body with a token is repeated. Polls and updates go to another host, as recorded
    /// (`redir-poll`, `redir-job`); no token goes from `https` to `http`.
    #[test]
    fn bodies_with_tokens() {
        for (from, to, recorded, token) in [
            ("http://h/a", "/b", true, true),
            ("http://h/a", "http://h:80/b", true, true),
            ("http://h/a", "https://h/b", true, true),
            ("http://h/a", "http://h:81/b", true, false),
            ("http://h/a", "http://o/b", true, false),
            ("http://h/a", "https://o/b", true, false),
            ("https://h/a", "https://o/b", true, false),
            ("https://h/a", "http://h/b", false, false),
            ("https://h/a", "http://o/b", false, false),
        ] {
            let url = Url::parse(from).unwrap();
            for (secret, goes) in [
                (Secret::None, true),
                (Secret::Recorded, recorded),
                (Secret::Token, token),
            ] {
                for status in [
                    StatusCode::TEMPORARY_REDIRECT,
                    StatusCode::PERMANENT_REDIRECT,
                ] {
                    let seen = judge(&Method::POST, &url, status, Some(to), secret);
                    let followed = matches!(seen, Redirect::Follow { .. });
                    assert_eq!(followed, goes, "{from} {to} {secret:?}: {seen:?}");
                }
                // A GET has no body.
                let seen = judge(&Method::POST, &url, StatusCode::FOUND, Some(to), secret);
                assert!(matches!(seen, Redirect::Follow { .. }), "{seen:?}");
            }
        }
    }

    /// Goal: what a target learns of where the request came from.
    #[test]
    fn referers() {
        for (from, to, expected) in [
            ("http://h/a?b=c#d", "http://o/", Some("http://h/a?b=c")),
            ("http://u:p@h/a", "https://o/", Some("http://h/a")),
            ("https://h/a", "https://o/", Some("https://h/a")),
            ("https://h/a", "http://h/", None),
        ] {
            let seen = referer(&Url::parse(from).unwrap(), &Url::parse(to).unwrap());
            assert_eq!(seen.as_deref(), expected);
        }
    }
}
