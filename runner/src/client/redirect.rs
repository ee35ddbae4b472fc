use http::{Method, StatusCode};
use reqwest::Url;

/// Requests of one attempt, redirects included (WIRE-CON-20).
pub(super) const MAX_REQUESTS: u32 = 10;

/// What an answer means for the request that it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// The answer stands as it is.
    None,
    /// The same method and body go to `url`.
    Repeat {
        /// The next address.
        url: Url,
        /// Same scheme, host and port as before, so tokens may go along.
        same_host: bool,
    },
    /// `Location` cannot be read; the text says why.
    Broken(String),
}

/// Judges a redirect (wire.md 1.6).
///
/// 307 and 308 repeat method and body, and a GET follows 301-303 too. Other methods do not: the
/// official runner turns them into a GET without body and takes its answer for the answer to the
/// call, so that a log patch or a final update is lost. Here such an answer stands, and counts as a
/// failure. Tokens do not go to another host (WIRE-CON-14).
pub(super) fn judge(
    method: &Method,
    url: &Url,
    status: StatusCode,
    location: Option<&str>,
) -> Redirect {
    let follows = match status.as_u16() {
        307 | 308 => true,
        301..=303 => method == Method::GET,
        _ => false,
    };
    let Some(location) = location.filter(|location| follows && !location.is_empty()) else {
        return Redirect::None;
    };
    match url.join(location) {
        Ok(next) if matches!(next.scheme(), "http" | "https") => Redirect::Repeat {
            same_host: next.origin() == url.origin(),
            url: next,
        },
        Ok(next) => Redirect::Broken(format!(
            "redirect to the unsupported scheme `{}`",
            next.scheme()
        )),
        Err(error) => Redirect::Broken(format!("failed to parse Location header: {error}")),
    }
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
        let from = Url::parse("http://h.example:8080/api/v4/jobs/request").unwrap();
        let cases = [
            (
                "POST",
                307,
                Some("/x"),
                Some(("http://h.example:8080/x", true)),
            ),
            (
                "PATCH",
                308,
                Some("y"),
                Some(("http://h.example:8080/api/v4/jobs/y", true)),
            ),
            (
                "PUT",
                307,
                Some("http://other/z"),
                Some(("http://other/z", false)),
            ),
            (
                "PUT",
                307,
                Some("https://h.example:8080/z"),
                Some(("https://h.example:8080/z", false)),
            ),
            (
                "PUT",
                307,
                Some("http://h.example/z"),
                Some(("http://h.example/z", false)),
            ),
            (
                "GET",
                302,
                Some("/x"),
                Some(("http://h.example:8080/x", true)),
            ),
            ("POST", 301, Some("/x"), None),
            ("PATCH", 302, Some("/x"), None),
            ("PUT", 303, Some("/x"), None),
            ("DELETE", 302, Some("/x"), None),
            ("POST", 307, None, None),
            ("POST", 300, Some("/x"), None),
            ("POST", 304, Some("/x"), None),
            ("POST", 200, Some("/x"), None),
        ];
        for (method, status, location, expected) in cases {
            let seen = judge(
                &method.parse().unwrap(),
                &from,
                StatusCode::from_u16(status).unwrap(),
                location,
            );
            let expected = expected.map_or(Redirect::None, |(url, same_host)| Redirect::Repeat {
                url: Url::parse(url).unwrap(),
                same_host,
            });
            assert_eq!(seen, expected, "{method} {status} {location:?}");
        }
        let broken = judge(
            &Method::POST,
            &from,
            StatusCode::TEMPORARY_REDIRECT,
            Some("ftp://x/"),
        );
        assert!(matches!(broken, Redirect::Broken(_)), "{broken:?}");
    }
}
