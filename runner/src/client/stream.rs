//! Requests whose bodies do not fit into memory: artifacts (wire.md 6).

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use protocol::{header as names, path};
use reqwest::Url;
use tokio_util::sync::CancellationToken;

use super::authorization::basic_authorization;
use super::call::{CallError, ClientSetupError, USER_AGENT};
use super::judge;
use super::redirect::{self, MAX_REQUESTS, Redirect, Secret};
use super::reqwest_transport::{ReqwestTransport, TransportOptions, describe};
use super::retry::{self, RetryAdvice};
use super::tls::TlsFiles;
use super::transport::{BoxFuture, TransportError};
use crate::clock::SharedClock;
use crate::logging;
use crate::random::Random;

/// Steps of such a call, for error texts.
const STEPS: &str = "execute raw request";
/// What is read of an answer that is not stored at most.
const ERROR_BODY_BYTES: usize = 64 << 10;

/// How long a [`StreamClient`] waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamLimits {
    /// Whole request, bodies included.
    pub(crate) whole: Duration,
    /// From the end of the request to the head of the answer.
    pub(crate) header: Duration,
}

impl Default for StreamLimits {
    /// Of all requests but uploads (wire.md 1.4).
    fn default() -> Self {
        StreamLimits {
            whole: Duration::from_hours(1),
            header: Duration::from_mins(10),
        }
    }
}

/// A client for requests with long bodies: the same redirects (wire.md 1.6) and automatic retries
/// (wire.md 1.5) as those of [`super::ApiClient`], but bodies are read and written as they come.
#[derive(Debug)]
pub(crate) struct StreamClient {
    base: String,
    authorization: Option<HeaderValue>,
    transport: ReqwestTransport,
    /// For ranges: bytes of a file as it is stored.
    unpacked: ReqwestTransport,
    limits: StreamLimits,
    random: Random,
    clock: SharedClock,
}

/// A body that can be made anew for every attempt.
pub(crate) trait BodySource: Send + Sync {
    /// Its type.
    fn content_type(&self) -> String;

    /// Makes the body.
    fn open(&self) -> BoxFuture<'_, Result<OpenBody, OpenError>>;
}

/// A body on its way.
pub(crate) struct OpenBody {
    pub(crate) body: reqwest::Body,
    /// Cancelled when all of it was sent.
    pub(crate) sent: CancellationToken,
    /// Why the body ended before its end, if it did.
    pub(crate) failure: Arc<std::sync::OnceLock<String>>,
}

/// Why there is no body.
pub(crate) enum OpenError {
    /// It cannot be made.
    Open(String),
    /// It broke off before anything was sent.
    Copy(String),
}

/// One logical call.
pub(crate) struct StreamCall<'a> {
    pub(crate) method: Method,
    pub(crate) url: String,
    /// Token of the job; empty: none.
    pub(crate) token: &'a str,
    /// `X-Request-Id`; empty: none.
    pub(crate) request_id: String,
    pub(crate) user_agent: bool,
    /// `Range`; empty: none.
    pub(crate) range: String,
    pub(crate) body: Option<&'a dyn BodySource>,
    pub(crate) follows: bool,
    pub(crate) retries: bool,
}

impl<'a> StreamCall<'a> {
    /// A call of `method` to `url` with all that calls of the API have.
    pub(crate) fn new(method: Method, url: String, token: &'a str, request_id: String) -> Self {
        StreamCall {
            method,
            url,
            token,
            request_id,
            user_agent: true,
            range: String::new(),
            body: None,
            follows: true,
            retries: true,
        }
    }
}

/// An answer whose body is still to be read.
pub(crate) struct StreamAnswer {
    pub(crate) response: reqwest::Response,
    method: Method,
    /// Of the call.
    url: String,
    /// Host that answered in the end.
    pub(crate) host: String,
}

impl StreamAnswer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header as text; empty if absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.response.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The id that the server gave the call, if it did, else `sent`.
    pub(crate) fn correlation_id(&self, sent: &str) -> String {
        match self.header(names::X_REQUEST_ID) {
            "" => sent.to_owned(),
            given => given.to_owned(),
        }
    }

    /// The status line as the server wrote it: `413 Request Entity Too Large`.
    pub(crate) fn status_line(&self) -> String {
        let reason = self.response.extensions().get::<hyper::ext::ReasonPhrase>();
        match reason {
            Some(reason) => format!(
                "{} {}",
                self.status().as_u16(),
                String::from_utf8_lossy(reason.as_bytes())
            ),
            None => judge::status_line(self.status()),
        }
    }

    /// What the answer says, for logs; reads the body. `POST <url>: 400 Bad Request (<message>)` for
    /// JSON, `403 Forbidden (<code>: <message>)` for an object storage's XML, else the status line.
    pub(crate) async fn describe(mut self) -> String {
        let line = self.status_line();
        let status = self.status();
        let headers = std::mem::take(self.response.headers_mut());
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = self.response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > ERROR_BODY_BYTES {
                break;
            }
        }
        let xml = is_xml(&headers).then(|| String::from_utf8_lossy(&body).into_owned());
        if let Some(text) = xml
            && let (Some(code), Some(message)) = (element(&text, "Code"), element(&text, "Message"))
        {
            return format!("{line} ({code}: {message})");
        }
        let url = self.url.split('?').next().unwrap_or_default();
        let described = judge::describe(&self.method, url, status, &headers, &body);
        if described == judge::status_line(status) {
            line
        } else {
            described
        }
    }
}

fn is_xml(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    matches!(kind.trim(), "application/xml" | "text/xml")
}

/// Text of the first element called `name` without attributes.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

impl StreamClient {
    /// A client for the GitLab at `url`.
    pub(crate) fn new(
        url: &str,
        tls: TlsFiles,
        limits: StreamLimits,
        random: Random,
        clock: SharedClock,
    ) -> Result<Self, ClientSetupError> {
        let base = path::api_base(url).map_err(|error| ClientSetupError {
            message: error.to_string(),
        })?;
        let mut parsed = Url::parse(&base).map_err(|error| ClientSetupError {
            message: format!("invalid URL: {error}"),
        })?;
        let authorization = basic_authorization(&parsed);
        let _ = parsed.set_username("");
        let _ = parsed.set_password(None);
        Ok(StreamClient {
            transport: ReqwestTransport::new(TransportOptions::for_url(&base, tls.clone())),
            unpacked: ReqwestTransport::new(TransportOptions::for_url(&base, tls)).without_gzip(),
            base: parsed.to_string(),
            authorization,
            limits,
            random,
            clock,
        })
    }

    /// The address of a path of the API.
    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// An id for a logical call.
    pub(crate) fn new_request_id(&self) -> String {
        self.random.request_id()
    }

    /// Random bytes in hex.
    pub(crate) fn hex(&self, bytes: usize) -> String {
        self.random.hex(bytes)
    }

    /// Makes a call. An error is a text for logs.
    pub(crate) async fn call(&self, call: &StreamCall<'_>) -> Result<StreamAnswer, String> {
        for attempt in 1.. {
            let answer = self.attempt(call).await?;
            let advice = retry::advise(
                attempt,
                answer.status(),
                answer.response.headers(),
                self.clock.now(),
                &self.random,
            );
            let RetryAdvice::Wait(pause) = advice else {
                return Ok(answer);
            };
            if !call.retries {
                return Ok(answer);
            }
            tracing::info!(
                context = "ratelimit-requester-gitlab-request",
                duration = logging::duration(pause),
                method = %call.method,
                url = call.url,
                "Waiting before making the next call"
            );
            drop(answer);
            tokio::time::sleep(pause).await;
        }
        unreachable!("the retry policy ends every call")
    }

    /// One attempt, with the redirects that its answers ask for.
    async fn attempt(&self, call: &StreamCall<'_>) -> Result<StreamAnswer, String> {
        let mut method = call.method.clone();
        let mut url =
            Url::parse(&call.url).map_err(|error| format!("cannot use the URL: {error}"))?;
        let (mut with_body, mut with_tokens, mut referer) = (true, true, None);
        for number in 1.. {
            let failed = |url: &Url, message: String| {
                let error = CallError::Transport {
                    error: TransportError { message },
                    url: url.to_string(),
                };
                error.text(STEPS, &call.method, &call.url)
            };
            let mut request = reqwest::Request::new(method.clone(), url.clone());
            *request.headers_mut() = self
                .headers(call, with_tokens, referer.as_deref())
                .map_err(|message| failed(&url, message))?;
            *request.timeout_mut() = Some(self.limits.whole);
            let mut opened = None;
            if let Some(source) = call.body.filter(|_| with_body) {
                let open = source.open().await.map_err(|error| match error {
                    OpenError::Open(text) => {
                        format!("{STEPS}: get reader: couldn't get original body: {text}")
                    }
                    OpenError::Copy(text) => {
                        failed(&url, format!("failed to copy content to form: {text}"))
                    }
                })?;
                let kind = HeaderValue::from_str(&source.content_type())
                    .map_err(|error| failed(&url, error.to_string()))?;
                request.headers_mut().insert(header::CONTENT_TYPE, kind);
                *request.body_mut() = Some(open.body);
                opened = Some((open.sent, open.failure));
            }
            let response = self
                .send(request, opened)
                .await
                .map_err(|message| failed(&url, message))?;
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            let redirect = if call.follows {
                redirect::judge(&method, &url, response.status(), location, Secret::None)
            } else {
                Redirect::None
            };
            match redirect {
                Redirect::None => {
                    return Ok(StreamAnswer {
                        response,
                        method: call.method.clone(),
                        url: call.url.clone(),
                        host: url.host_str().unwrap_or_default().to_owned(),
                    });
                }
                Redirect::Broken(message) => return Err(failed(&url, message)),
                Redirect::Follow { url, .. } if number == MAX_REQUESTS => {
                    return Err(failed(
                        &url,
                        format!("stopped after {MAX_REQUESTS} redirects"),
                    ));
                }
                Redirect::Follow {
                    url: next,
                    referer: from,
                    as_get,
                    with_tokens: tokens_go,
                } => {
                    with_tokens &= tokens_go;
                    referer = from;
                    url = next;
                    if as_get {
                        method = Method::GET;
                        with_body = false;
                    }
                }
            }
        }
        unreachable!("the last request of an attempt is judged above")
    }

    fn headers(
        &self,
        call: &StreamCall<'_>,
        with_tokens: bool,
        referer: Option<&str>,
    ) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        if call.user_agent {
            headers.insert(header::USER_AGENT, LazyLock::force(&USER_AGENT).clone());
        }
        if let Some(authorization) = self.authorization.as_ref().filter(|_| with_tokens) {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let token = if with_tokens { call.token } else { "" };
        for (name, value) in [
            (names::JOB_TOKEN, token),
            (names::X_REQUEST_ID, &call.request_id),
            ("range", &call.range),
            ("referer", referer.unwrap_or_default()),
        ] {
            if value.is_empty() {
                continue;
            }
            let value = HeaderValue::from_str(value).map_err(|_| {
                format!("the value of the header {name} has characters that HTTP forbids")
            })?;
            headers.insert(http::HeaderName::from_static(name), value);
        }
        Ok(headers)
    }

    /// Sends one request. The time for the head of the answer begins when the body was sent.
    async fn send(
        &self,
        request: reqwest::Request,
        opened: Option<(CancellationToken, Arc<std::sync::OnceLock<String>>)>,
    ) -> Result<reqwest::Response, String> {
        let is_plain = request.url().scheme() == "http";
        let ranged = request.headers().contains_key(header::RANGE);
        let transport = if ranged {
            &self.unpacked
        } else {
            &self.transport
        };
        let client = transport.client(is_plain).map_err(|error| error.message)?;
        let late = async {
            if let Some((sent, _)) = &opened {
                sent.cancelled().await;
            }
            tokio::time::sleep(self.limits.header).await;
        };
        let answer = tokio::select! {
            biased;
            answer = client.execute(request) => answer,
            () = late => return Err("timeout awaiting response headers".to_owned()),
        };
        answer.map_err(|error| {
            let broken = opened.as_ref().and_then(|(_, failure)| failure.get());
            match broken {
                Some(text) => format!("failed to copy content to form: {text}"),
                None => describe(&error).message,
            }
        })
    }
}
