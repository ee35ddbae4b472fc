//! Parameters of a request: members of a JSON body, form fields and query members, all in one table
//! (wire.md 1.3). A body member beats a query member, as in Grape.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use protocol::header;
use serde_json::{Map, Value, json};

use super::reply;
use crate::world::ApiError;

/// Reads a whole body of at most `limit` bytes.
pub(super) async fn read_body(body: Body, limit: usize) -> Result<Bytes, Response> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(reply::too_large()),
        Err(error) if timed_out(&*error) => Err(reply::json_body(
            StatusCode::REQUEST_TIMEOUT,
            &json!({ "message": "408 Request Timeout" }),
        )),
        Err(error) => {
            tracing::debug!(%error, "a request broke off");
            Err(reply::json_body(
                StatusCode::BAD_REQUEST,
                &json!({ "message": "400 Bad request - the body broke off" }),
            ))
        }
    }
}

/// Whether a body failed because its sender was too slow.
pub(crate) fn timed_out(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Parameters of one request.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    members: Map<String, Value>,
}

impl Parameters {
    /// Reads and decodes a request.
    pub(super) async fn read(request: Request<Body>, limit: usize) -> Result<Parameters, Response> {
        let (head, body) = request.into_parts();
        let body = read_body(body, limit).await?;
        Self::decode(head.uri.query(), &head.headers, &body).map_err(|error| reply::error(&error))
    }

    /// Decodes query and body.
    pub(super) fn decode(
        query: Option<&str>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Parameters, ApiError> {
        let mut members = form(query.unwrap_or_default().as_bytes());
        let content_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            members.append(&mut form(body));
        } else if !body.trim_ascii().is_empty() && is_json(kind) {
            match serde_json::from_slice(body) {
                Ok(Value::Object(mut object)) => members.append(&mut object),
                // A runner that resets a token by id sends `null` (WIRE-REG-13).
                Ok(_) => {}
                Err(_) => {
                    return Err(ApiError::new(
                        400,
                        json!({ "error": "The request body is not valid JSON" }),
                    ));
                }
            }
        }
        Ok(Parameters { members })
    }

    /// A text; an empty one counts as missing, as the endpoints with a required parameter take it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.members
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }

    /// A text, or nothing.
    pub(super) fn text_or_empty(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    /// A Boolean: JSON's, or one of the words that Grape takes.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "1" | "on" | "yes" => Ok(Some(true)),
                "false" | "f" | "0" | "off" | "no" => Ok(Some(false)),
                _ => Err(invalid(name)),
            },
            Some(_) => Err(invalid(name)),
        }
    }

    /// An integer: a JSON number or its text.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(|| invalid(name)),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| invalid(name)),
            Some(_) => Err(invalid(name)),
        }
    }

    /// A list: an array of texts, or one text with commas (WIRE-REG-05).
    pub(super) fn list(&self, name: &str) -> Result<Vec<String>, ApiError> {
        let split = |text: &str| {
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        match self
            .members
            .get(name)
            .or_else(|| self.members.get(&format!("{name}[]")))
        {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(split(text)),
            Some(Value::Array(items)) => {
                let mut list = Vec::new();
                for item in items {
                    list.extend(split(item.as_str().ok_or_else(|| invalid(name))?));
                }
                Ok(list)
            }
            Some(_) => Err(invalid(name)),
        }
    }

    /// An object, such as `info`, decoded; unknown members are ignored (WIRE-CON-17).
    pub(super) fn object<T: serde::de::DeserializeOwned + Default>(
        &self,
        name: &str,
    ) -> Result<T, ApiError> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(T::default()),
            Some(value) => protocol::go_json::from_value(value.clone()).map_err(|_| invalid(name)),
        }
    }

    /// A member as it came.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Whether a name is as described.
    pub(super) fn any(&self, name: impl Fn(&str) -> bool) -> bool {
        self.members.keys().any(|key| name(key))
    }

    /// Adds a text field of a form, unless the query has it.
    pub(super) fn insert(&mut self, name: &str, value: String) {
        self.members
            .entry(name)
            .or_insert_with(|| Value::String(value));
    }

    /// All members.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.members)
    }
}

/// A request header as text.
pub(super) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .filter(|text| !text.is_empty())
}

/// The personal access token of a request: `PRIVATE-TOKEN`, else a bearer token.
pub(crate) fn personal_access_token(headers: &HeaderMap) -> Option<&str> {
    header_text(headers, header::PRIVATE_TOKEN).or_else(|| {
        header_text(headers, http::header::AUTHORIZATION.as_str())
            .and_then(|value| value.strip_prefix("Bearer "))
    })
}

fn invalid(name: &str) -> ApiError {
    ApiError::new(400, json!({ "error": format!("{name} is invalid") }))
}

fn is_json(kind: &str) -> bool {
    kind.is_empty()
        || kind.eq_ignore_ascii_case("application/json")
        || kind.to_ascii_lowercase().ends_with("+json")
}

/// `a=b&c=d` with percent and plus encoding. Several values of one `name[]` become a list.
fn form(text: &[u8]) -> Map<String, Value> {
    let mut members = Map::new();
    for pair in text
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = decoded(parts.next().unwrap_or_default());
        let value = Value::String(decoded(parts.next().unwrap_or_default()));
        if name.ends_with("[]") {
            if let Value::Array(items) = members
                .entry(name)
                .or_insert_with(|| Value::Array(Vec::new()))
            {
                items.push(value);
            }
        } else {
            members.insert(name, value);
        }
    }
    members
}

fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match *first {
            b'+' => bytes.push(b' '),
            b'%' => match (
                after.first().copied().and_then(hex),
                after.get(1).copied().and_then(hex),
            ) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = &after[2..];
                }
                // Not an escape: kept as it is.
                _ => bytes.push(b'%'),
            },
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(content_type: &str, query: &str, body: &str) -> Result<Parameters, ApiError> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = content_type.parse() {
            headers.insert(CONTENT_TYPE, value);
        }
        Parameters::decode(Some(query), &headers, body.as_bytes())
    }

    /// JSON, form and query say the same; a body member beats a query member.
    #[test]
    fn three_ways_to_say_it() {
        for (content_type, query, body) in [
            (
                "application/json",
                "",
                r#"{"token":"a b","n":5,"on":true,"tag_list":["x","y"]}"#,
            ),
            (
                "application/json; charset=utf-8",
                "n=5",
                r#"{"token":"a b","on":true,"tag_list":"x, y"}"#,
            ),
            (
                "application/x-www-form-urlencoded",
                "token=no",
                "token=a+b&n=5&on=1&tag_list[]=x&tag_list[]=y",
            ),
            (
                "text/plain",
                "token=a%20b&n=5&on=true&tag_list=x,y",
                "ignored",
            ),
        ] {
            let parameters = decode(content_type, query, body).unwrap();
            assert_eq!(parameters.text("token"), Some("a b"), "{content_type}");
            assert_eq!(parameters.integer("n"), Ok(Some(5)));
            assert_eq!(parameters.boolean("on"), Ok(Some(true)));
            assert_eq!(
                parameters.list("tag_list"),
                Ok(vec!["x".to_owned(), "y".to_owned()])
            );
        }
    }

    #[test]
    fn bad_input_is_answered() {
        assert_eq!(decode("application/json", "", "{").unwrap_err().status, 400);
        let parameters =
            decode("application/json", "", r#"{"n":"x","on":[],"tag_list":7}"#).unwrap();
        assert_eq!(
            parameters.integer("n").unwrap_err().body,
            json!({"error":"n is invalid"})
        );
        assert!(parameters.boolean("on").is_err());
        assert!(parameters.list("tag_list").is_err());
        assert!(
            decode("application/json", "", "null")
                .unwrap()
                .text("token")
                .is_none()
        );
    }
}
