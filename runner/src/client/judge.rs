use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use protocol::error_body::rendered_message;

/// Text of a status line as Go writes it: `416 Requested Range Not Satisfiable`.
pub(super) fn status_line(status: StatusCode) -> String {
    let phrase = match status.as_u16() {
        413 => "Request Entity Too Large",
        416 => "Requested Range Not Satisfiable",
        418 => "I'm a teapot",
        _ => status.canonical_reason().unwrap_or_default(),
    };
    format!("{} {phrase}", status.as_u16())
}

/// Whether the body is said to be JSON; parameters of the type do not matter (WIRE-CON-15).
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The text of an answer for logs (wire.md 1.7): `POST <url>: 400 Bad Request (<message>)`, or the
/// status line alone when the answer is no JSON object, as the `"404"` of a job update.
pub(super) fn describe(
    method: &http::Method,
    url: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> String {
    let line = status_line(status);
    if status.is_success() || !is_json(headers) || !is_object(body) {
        return line;
    }
    let message = rendered_message(body).unwrap_or_default();
    if message == line {
        return format!("{method} {url}: {line}");
    }
    format!("{method} {url}: {line} ({message})")
}

/// Whether Go decodes the body's first value into an object.
fn is_object(body: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<serde_json::Value>();
    matches!(values.next(), Some(Ok(value)) if value.is_object() || value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: error texts as wire.md 1.7 and the recordings `unregister-codes`, `last-update`,
    /// `reset-pat`, `cancel-at-start`, `first-put` and `final-202` show them.
    #[test]
    fn texts_of_errors() {
        let url = "http://h/api/v4/x";
        for (status, kind, body, expected) in [
            (
                403,
                "application/json",
                r#"{"message":"403 Forbidden"}"#,
                "POST http://h/api/v4/x: 403 Forbidden",
            ),
            (
                403,
                "application/json",
                "{}",
                "POST http://h/api/v4/x: 403 Forbidden ()",
            ),
            (
                403,
                "application/json; charset=utf-8",
                "{\"error\":\"x\"}",
                "POST http://h/api/v4/x: 403 Forbidden ()",
            ),
            (404, "application/json", "", "404 Not Found"),
            (400, "application/json", "\"400\"", "400 Bad Request"),
            (409, "application/json", "x", "409 Conflict"),
            (
                422,
                "application/json",
                r#"{"message":"x"}"#,
                "POST http://h/api/v4/x: 422 Unprocessable Entity (x)",
            ),
            (
                400,
                "application/json",
                r#"{"message":{"a":["b","c"],"d":["e"]}}"#,
                "POST http://h/api/v4/x: 400 Bad Request (a: b; c, d: e)",
            ),
            (409, "text/plain", "409", "409 Conflict"),
            (416, "", "", "416 Requested Range Not Satisfiable"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            let seen = describe(
                &http::Method::POST,
                url,
                StatusCode::from_u16(status).unwrap(),
                &headers,
                body.as_bytes(),
            );
            assert_eq!(seen, expected);
        }
    }
}
