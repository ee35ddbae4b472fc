//! Parameters of a request: members of a JSON body, form fields and query members, all in one table
//! (wire.md 1.3). A body member beats a query member, as in Grape.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use jiff::Timestamp;
use protocol::header;
use serde_json::{Map, Value, json};

use super::reply;
use crate::world::ApiError;

/// Reads a whole body of at most `limit` bytes.
pub(super) async fn read_body(body: Body, limit: usize) -> Result<Bytes, Response> {
    let mut body = Limited::new(body, limit);
    let first = match body.frame().await {
        Some(frame) => frame.map_err(|error| broken_body(&*error))?.into_data(),
        None => Ok(Bytes::new()),
    };
    let first = first.unwrap_or_default();
    // Short bodies come in one part, and need no copy then.
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut bytes = first.to_vec();
    read_parts(&mut bytes, body).await?;
    Ok(bytes.into())
}

/// Appends a whole body of at most `limit` bytes to `buffer`, part by part, so that whoever reads the
/// connection can use its memory again.
pub(super) async fn read_body_into(
    buffer: &mut Vec<u8>,
    body: Body,
    limit: usize,
) -> Result<(), Response> {
    let length = body.size_hint().lower();
    buffer.reserve(usize::try_from(length).map_or(0, |length| length.min(limit)));
    read_parts(buffer, Limited::new(body, limit)).await
}

async fn read_parts(buffer: &mut Vec<u8>, mut body: Limited<Body>) -> Result<(), Response> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken_body(&*error))?;
        if let Some(data) = frame.data_ref() {
            buffer.extend_from_slice(data);
        }
    }
    Ok(())
}

/// Answer to a body that is too long, or that did not come whole.
fn broken_body(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Response {
    if error.is::<LengthLimitError>() {
        reply::too_large()
    } else if timed_out(error) {
        reply::json_body(
            StatusCode::REQUEST_TIMEOUT,
            &json!({ "message": "408 Request Timeout" }),
        )
    } else {
        tracing::debug!(%error, "a request broke off");
        reply::json_body(
            StatusCode::BAD_REQUEST,
            &json!({ "message": "400 Bad request - the body broke off" }),
        )
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
        let decoded = match boundary(&head.headers) {
            None => Self::decode(head.uri.query(), &head.headers, &body),
            Some(boundary) => Self::multipart(head.uri.query(), body, boundary).await,
        };
        decoded.map_err(|error| reply::error(&error))
    }

    /// Decodes query and a form in parts, as `curl --form` sends it. Files in it are texts like the others.
    async fn multipart(
        query: Option<&str>,
        body: Bytes,
        boundary: String,
    ) -> Result<Parameters, ApiError> {
        let broken = || {
            let text = "The request body is no valid form";
            ApiError::new(400, json!({ "error": text }))
        };
        let body = futures_util::stream::once(async { Ok::<_, std::convert::Infallible>(body) });
        let mut parts = multer::Multipart::new(body, boundary);
        let mut pairs = Vec::new();
        while let Some(part) = parts.next_field().await.map_err(|_| broken())? {
            let name = part.name().unwrap_or_default().to_owned();
            let value = part.bytes().await.map_err(|_| broken())?;
            if pairs.len() == MAX_MEMBERS {
                return Err(broken());
            }
            pairs.push((name, String::from_utf8_lossy(&value).into_owned()));
        }
        let mut members = form(query.unwrap_or_default().as_bytes());
        members.append(&mut nested(pairs));
        Ok(Parameters { members })
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
        match self.members.get(name) {
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
            Some(value) => protocol::go_json::from_value(value.clone())
                .or_else(|_| protocol::go_json::from_value(with_booleans(value)))
                .map_err(|_| invalid(name)),
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

/// The time of `If-Unmodified-Since`. One that is no date is as good as none, as in GitLab.
pub(super) fn unmodified_since(headers: &HeaderMap) -> Option<Timestamp> {
    let text = header_text(headers, http::header::IF_UNMODIFIED_SINCE.as_str())?;
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text).ok()
}

/// The personal access token of a request: `PRIVATE-TOKEN`, else a bearer token.
pub(crate) fn personal_access_token(headers: &HeaderMap) -> Option<&str> {
    header_text(headers, header::PRIVATE_TOKEN).or_else(|| {
        header_text(headers, http::header::AUTHORIZATION.as_str())
            .and_then(|value| value.strip_prefix("Bearer "))
    })
}

/// A value of a form, where Booleans are words, as JSON has it.
fn with_booleans(value: &Value) -> Value {
    match value {
        Value::String(text) if text == "true" => Value::Bool(true),
        Value::String(text) if text == "false" => Value::Bool(false),
        Value::Array(items) => items.iter().map(with_booleans).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| (name.clone(), with_booleans(value)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn invalid(name: &str) -> ApiError {
    ApiError::new(400, json!({ "error": format!("{name} is invalid") }))
}

fn is_json(kind: &str) -> bool {
    kind.is_empty()
        || kind.eq_ignore_ascii_case("application/json")
        || kind.to_ascii_lowercase().ends_with("+json")
}

/// The boundary of a form in parts.
fn boundary(headers: &HeaderMap) -> Option<String> {
    let content_type = header_text(headers, CONTENT_TYPE.as_str())?;
    multer::parse_boundary(content_type).ok()
}

/// Most members of a form.
const MAX_MEMBERS: usize = 4096;
/// Deepest nesting of a form's names.
const MAX_DEPTH: usize = 16;

/// `a=b&c=d` with percent and plus encoding.
fn form(text: &[u8]) -> Map<String, Value> {
    let pairs = text
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .take(MAX_MEMBERS);
    nested(pairs.map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = decoded(parts.next().unwrap_or_default());
        (name, decoded(parts.next().unwrap_or_default()))
    }))
}

/// Members by the names of a form, as Rack reads them: `a[]` is a list, `a[b]` an object, `a[][b]` a list of
/// objects, each of which begins where a name comes again.
fn nested(pairs: impl IntoIterator<Item = (String, String)>) -> Map<String, Value> {
    let mut members = Value::Object(Map::new());
    for (name, value) in pairs {
        let (first, rest) = match name.split_once('[') {
            Some((first, rest)) if !first.is_empty() && rest.ends_with(']') => {
                (first, rest.strip_suffix(']').unwrap_or_default())
            }
            _ => {
                if !name.is_empty() {
                    put(&mut members, &[name.as_str()], value);
                }
                continue;
            }
        };
        let mut path = vec![first];
        path.extend(rest.split("]["));
        if path.len() <= MAX_DEPTH {
            put(&mut members, &path, value);
        }
    }
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Puts a value where a path of names leads; an empty name is the end of a list. What is something else
/// there already is replaced.
fn put(place: &mut Value, path: &[&str], value: String) {
    let Some((name, rest)) = path.split_first() else {
        *place = Value::String(value);
        return;
    };
    if name.is_empty() {
        if !place.is_array() {
            *place = Value::Array(Vec::new());
        }
        if let Value::Array(items) = place {
            let goes_on = match (items.last(), rest.first()) {
                (Some(Value::Object(last)), Some(name)) => !last.contains_key(*name),
                _ => false,
            };
            if !goes_on {
                items.push(Value::Null);
            }
            if let Some(last) = items.last_mut() {
                put(last, rest, value);
            }
        }
        return;
    }
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    if let Value::Object(members) = place {
        put(members.entry(*name).or_insert(Value::Null), rest, value);
    }
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

    async fn read(content_type: &str, query: &str, body: &str) -> Result<Parameters, u16> {
        let request = Request::builder()
            .uri(format!("/x?{query}"))
            .header(CONTENT_TYPE, content_type)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let read = Parameters::read(request, 4096).await;
        read.map_err(|answer| answer.status().as_u16())
    }

    /// JSON, both kinds of forms and query say the same; a body member beats a query member.
    #[tokio::test]
    async fn four_ways_to_say_it() {
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
                "multipart/form-data; boundary=b",
                "n=5",
                "--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\na b\r\n\
                 --b\r\nContent-Disposition: form-data; name=\"on\"\r\n\r\ntrue\r\n\
                 --b\r\nContent-Disposition: form-data; name=\"tag_list\"\r\n\r\nx,y\r\n--b--\r\n",
            ),
            (
                "text/plain",
                "token=a%20b&n=5&on=true&tag_list=x,y",
                "ignored",
            ),
        ] {
            let parameters = read(content_type, query, body).await.unwrap();
            assert_eq!(parameters.text("token"), Some("a b"), "{content_type}");
            assert_eq!(parameters.integer("n"), Ok(Some(5)));
            assert_eq!(parameters.boolean("on"), Ok(Some(true)));
            assert_eq!(
                parameters.list("tag_list"),
                Ok(vec!["x".to_owned(), "y".to_owned()])
            );
        }
    }

    /// Names of forms nest as Rack has it.
    #[test]
    fn names_of_forms() {
        for (text, expected) in [
            ("a=1&a=2", json!({ "a": "2" })),
            ("a[]=1&a[]=2", json!({ "a": ["1", "2"] })),
            (
                "a[b]=1&a[c][d]=2",
                json!({ "a": { "b": "1", "c": { "d": "2" } } }),
            ),
            (
                "v[][key]=A&v[][value]=1&v[][key]=B&v[][value]=2",
                json!({ "v": [{ "key": "A", "value": "1" }, { "key": "B", "value": "2" }] }),
            ),
            ("a=1&a[b]=2", json!({ "a": { "b": "2" } })),
            ("a[b]=1&a[]=2", json!({ "a": ["2"] })),
            (
                "[a]=1&b[=2&c]=3",
                json!({ "[a]": "1", "b[": "2", "c]": "3" }),
            ),
            ("a%5B%5D=x%26y", json!({ "a": ["x&y"] })),
            ("a=2&=1&&", json!({ "a": "2" })),
        ] {
            assert_eq!(Value::Object(form(text.as_bytes())), expected, "{text}");
        }
        let deep = format!("a{}=1", "[b]".repeat(100_000));
        assert_eq!(form(deep.as_bytes()), Map::new());
    }

    #[tokio::test]
    async fn bad_input_is_answered() {
        for (content_type, body) in [
            ("application/json", "{"),
            ("multipart/form-data; boundary=b", "--b\r\nContent-"),
        ] {
            assert_eq!(read(content_type, "", body).await.unwrap_err(), 400);
        }
        let parameters = read("application/json", "", r#"{"n":"x","on":[],"tag_list":7}"#);
        let parameters = parameters.await.unwrap();
        assert_eq!(
            parameters.integer("n").unwrap_err().body,
            json!({"error":"n is invalid"})
        );
        assert!(parameters.boolean("on").is_err());
        assert!(parameters.list("tag_list").is_err());
        assert!(
            read("application/json", "", "null")
                .await
                .unwrap()
                .text("token")
                .is_none()
        );
    }
}
