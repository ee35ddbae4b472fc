//! HAR 1.2: the exchanges of a session, as browsers and proxies write them.
//!
//! Only what a replay needs is kept: method, URL, headers, body and answer of every exchange, in order
//! of arrival, with `_at`, the seconds since the recording began. Bodies are bytes, whatever their
//! encoding in the file.

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;

/// One request and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Seconds since the recording began.
    pub at_s: f64,
    /// Method.
    pub method: String,
    /// Path and query, without scheme and host.
    pub target: String,
    /// Host and port, as in the URL.
    pub host: String,
    /// Headers of the request, in order, as spelled.
    pub headers: Vec<(String, String)>,
    /// Body of the request.
    pub body: Bytes,
    /// Status of the answer; 0 = the connection was closed without one.
    pub status: u16,
    /// Headers of the answer, without those of the HTTP server itself.
    pub answer_headers: Vec<(String, String)>,
    /// Body of the answer.
    pub answer: Bytes,
    /// Content type of the answer; empty = none.
    pub answer_type: String,
    /// How long the answer took, ms.
    pub took_ms: f64,
}

impl Exchange {
    /// A header of the request by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// A header of the answer by its name in any case.
    pub fn answer_header(&self, name: &str) -> Option<&str> {
        find(&self.answer_headers, name)
    }

    /// The path without its query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// Why a HAR file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HarError {
    /// Not JSON, or not a HAR file.
    #[error("is not a HAR 1.2 file: {0}")]
    Form(#[from] serde_json::Error),
    /// An entry that makes no sense.
    #[error("entry {index} ({what}): {problem}")]
    Entry {
        /// Number of the entry, from 0.
        index: usize,
        /// Method and URL.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads the exchanges of a HAR file, in order.
pub fn read(text: &[u8]) -> Result<Vec<Exchange>, HarError> {
    let file: File = serde_json::from_slice(text)?;
    file.log
        .entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| {
            let what = format!("{} {}", entry.request.method, entry.request.url);
            entry.exchange().map_err(|problem| HarError::Entry {
                index,
                what,
                problem,
            })
        })
        .collect()
}

#[derive(Deserialize)]
struct File {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

/// When the first exchange arrived, where the file says it.
pub fn began(text: &[u8]) -> Option<jiff::Timestamp> {
    let file: File = serde_json::from_slice(text).ok()?;
    file.log.entries.first()?.started.as_ref()?.parse().ok()
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "startedDateTime")]
    started: Option<String>,
    #[serde(default, rename = "_at")]
    at_s: f64,
    #[serde(default)]
    time: f64,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Header>,
    #[serde(default)]
    post_data: Option<Body>,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: Vec<Header>,
    #[serde(default)]
    content: Body,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    text: Option<String>,
    encoding: Option<String>,
    mime_type: String,
}

impl Body {
    fn bytes(&self) -> Result<Bytes, String> {
        let text = self.text.as_deref().unwrap_or_default();
        match self.encoding.as_deref() {
            None | Some("") => Ok(Bytes::from(text.to_owned())),
            Some("base64") => base64::engine::general_purpose::STANDARD
                .decode(text)
                .map(Bytes::from)
                .map_err(|error| format!("body is not base64: {error}")),
            Some(other) => Err(format!("unknown encoding `{other}`; base64 is known")),
        }
    }
}

impl Entry {
    fn exchange(self) -> Result<Exchange, String> {
        let url: http::Uri = self
            .request
            .url
            .parse()
            .map_err(|error| format!("URL: {error}"))?;
        let target = url
            .path_and_query()
            .map_or_else(|| "/".to_owned(), ToString::to_string);
        let host = url.authority().map(ToString::to_string).unwrap_or_default();
        let body = self
            .request
            .post_data
            .as_ref()
            .map_or(Ok(Bytes::new()), Body::bytes)?;
        let pairs = |headers: Vec<Header>| {
            headers
                .into_iter()
                .map(|header| (header.name, header.value))
                .collect()
        };
        Ok(Exchange {
            at_s: self.at_s,
            method: self.request.method,
            target,
            host,
            headers: pairs(self.request.headers),
            body,
            status: self.response.status,
            answer: self.response.content.bytes()?,
            answer_type: self.response.content.mime_type,
            answer_headers: pairs(self.response.headers),
            took_ms: self.time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_bytes_and_headers_found_in_any_case() {
        let text = br#"{"log":{"entries":[{"_at":1.5,"time":2,"request":{"method":"PATCH",
            "url":"http://h:1/a/b?c=d","headers":[{"name":"Job-Token","value":"x"}],
            "postData":{"mimeType":"text/plain","text":"AP8=","encoding":"base64"}},
            "response":{"status":202,"headers":[],"content":{"mimeType":"","text":"ok"}}}]}}"#;
        let exchanges = read(text).expect("valid");
        assert_eq!(exchanges[0].body.as_ref(), [0, 255]);
        assert_eq!(exchanges[0].target, "/a/b?c=d");
        assert_eq!(exchanges[0].path(), "/a/b");
        assert_eq!(exchanges[0].host, "h:1");
        assert_eq!(exchanges[0].header("JOB-TOKEN"), Some("x"));
    }

    #[test]
    fn errors_name_the_entry() {
        let text = br#"{"log":{"entries":[{"request":{"method":"GET","url":"http://h/",
            "postData":{"text":"*","encoding":"base64"}},"response":{"status":200}}]}}"#;
        let error = read(text).expect_err("bad body").to_string();
        assert!(
            error.starts_with("entry 0 (GET http://h/): body is not base64"),
            "{error}"
        );
        assert!(
            read(b"{}")
                .expect_err("no log")
                .to_string()
                .contains("missing field `log`")
        );
    }
}
