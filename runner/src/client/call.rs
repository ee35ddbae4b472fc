use std::borrow::Cow;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use protocol::{header as names, path};
use reqwest::Url;
use tokio_util::sync::CancellationToken;

use super::authorization::basic_authorization;
use super::redirect::{self, MAX_REQUESTS, Redirect, Secret};
use super::retry::{self, RetryAdvice};
use super::router::Discovered;
use super::tls::TlsData;
use super::transport::{ConnectionTls, Transport, TransportError};
use crate::clock::SharedClock;
use crate::host;
use crate::logging;
use crate::metrics::{Endpoint, RequestObserver};
use crate::random::Random;

/// A configured URL that no request can be sent to. Counts as an unhealthy answer (runner.md 4.3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ClientSetupError {
    /// What is wrong with the URL.
    pub message: String,
}

/// A client of the runner API. One for each (URL, token, TLS files): entries that agree in these
/// share it, and with it connections and `last_update` (wire.md 1.1).
#[derive(Debug)]
pub struct ApiClient {
    base: String,
    authorization: Option<HeaderValue>,
    pub(super) transport: Arc<dyn Transport>,
    random: Random,
    clock: SharedClock,
    last_update: Mutex<Arc<str>>,
    observer: Option<RequestObserver>,
    /// What the last discovery of a job router said.
    pub(super) discovered: tokio::sync::Mutex<Option<Discovered>>,
}

/// One logical call.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: Cow<'a, str>,
    pub(super) body: Option<Body>,
    /// Whether to send `Accept: application/json` (WIRE-CON-05).
    pub(super) accept: bool,
    /// Token header; an empty token leaves it out.
    pub(super) token: Option<(&'static str, &'a str)>,
    pub(super) headers: Vec<(&'static str, String)>,
    /// Chosen by the caller, so that a second call can be made under the same id (wire.md 3.3).
    pub(super) request_id: String,
    pub(super) cancel: Option<&'a CancellationToken>,
}

/// A body and its type.
pub(super) struct Body {
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
    /// What whoever gets it learns.
    pub(super) secret: Secret,
}

impl Body {
    /// A JSON body. Types of the protocol always encode.
    pub(super) fn json(value: &impl serde::Serialize, secret: Secret) -> Option<Self> {
        let bytes = serde_json::to_vec(value).ok()?;
        Some(Body::encoded_json(bytes.into(), secret))
    }

    /// A JSON body that is encoded already.
    pub(super) fn encoded_json(bytes: Bytes, secret: Secret) -> Self {
        Body {
            content_type: "application/json",
            bytes,
            secret,
        }
    }
}

/// How a call ended.
pub(super) struct Ended {
    pub(super) answer: Result<Answer, CallError>,
    pub(super) back_pressured: bool,
    /// For logs.
    pub(super) url: String,
    pub(super) correlation_id: String,
    /// A retry is waited for.
    waits: bool,
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    tls: Option<ConnectionTls>,
}

/// One request of an attempt.
struct Hop<'a> {
    method: Method,
    url: Cow<'a, str>,
    with_body: bool,
    with_tokens: bool,
    referer: Option<String>,
}

/// Why no answer came.
pub(super) enum CallError {
    /// The cancel token ended the call.
    Cancelled {
        /// A request was under way; otherwise a retry was waited for.
        asked: bool,
    },
    /// The transport failed, or a redirect led nowhere.
    Transport {
        /// What went wrong.
        error: TransportError,
        /// Where: the address of the last request, or a `Location` as it came.
        url: String,
    },
}

impl CallError {
    /// Text for the process log. `steps` names what was done, as in `execute JSON request`.
    pub(super) fn text(&self, steps: &str, method: &Method, url: &str) -> String {
        let (error, last_url) = match self {
            CallError::Cancelled { asked: false } => {
                return format!("{steps}: execute request: context canceled");
            }
            CallError::Cancelled { asked: true } => ("context canceled", url),
            CallError::Transport { error, url } => (error.message.as_str(), url.as_str()),
        };
        let (first, rest) = method.as_str().split_at(1);
        let verb = format!("{first}{}", rest.to_lowercase());
        format!(
            "{steps}: execute request: couldn't execute {method} against {url}: {verb} \"{last_url}\": {error}"
        )
    }
}

/// Steps of a call with a JSON body.
pub(super) const JSON_STEPS: &str = "execute JSON request";

impl Answer {
    /// A header as text; empty if absent.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Certificates of the connection that this answer came over; empty for plain HTTP.
    pub(super) fn tls_data(&self) -> TlsData {
        self.tls
            .as_ref()
            .map(|tls| tls.0.data())
            .unwrap_or_default()
    }
}

impl ApiClient {
    /// A client for the GitLab at `url`, as configured (WIRE-CON-01, WIRE-CON-02).
    pub fn new(
        url: &str,
        transport: Arc<dyn Transport>,
        random: Random,
        clock: SharedClock,
    ) -> Result<Self, ClientSetupError> {
        let invalid = |message: String| ClientSetupError { message };
        let base = path::api_base(url).map_err(|error| invalid(error.to_string()))?;
        let mut parsed =
            Url::parse(&base).map_err(|error| invalid(format!("invalid URL: {error}")))?;
        let authorization = basic_authorization(&parsed);
        // Credentials travel in a header; neither requests nor logs show them.
        let _ = parsed.set_username("");
        let _ = parsed.set_password(None);
        Ok(ApiClient {
            base: parsed.to_string(),
            authorization,
            transport,
            random,
            clock,
            last_update: Mutex::new(Arc::from("")),
            observer: None,
            discovered: tokio::sync::Mutex::new(None),
        })
    }

    /// Counts its requests.
    #[must_use]
    pub fn observed_by(mut self, observer: RequestObserver) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The newest `X-GitLab-Last-Update` (WIRE-REQ-02); empty before the first.
    pub fn last_update(&self) -> Arc<str> {
        let last = self.last_update.lock();
        Arc::clone(&last.unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers the header of an answer to a JSON call that did not end in -1 (wire.md 1.7).
    pub(super) fn remember_last_update(&self, answer: &Answer) {
        let value = answer.header(names::X_GITLAB_LAST_UPDATE);
        if !value.is_empty() {
            let mut last = self
                .last_update
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if **last != *value {
                *last = Arc::from(value);
            }
        }
    }

    /// An id for a logical call (WIRE-CON-06).
    pub(super) fn new_request_id(&self) -> String {
        self.random.request_id()
    }

    /// Makes a call, with its automatic retries (wire.md 1.5) and redirects (wire.md 1.6).
    pub(super) async fn call(&self, call: Call<'_>) -> Ended {
        let url = format!("{}{}", self.base, call.path);
        let mut ended = Ended {
            answer: Err(CallError::Cancelled { asked: true }),
            back_pressured: false,
            correlation_id: call.request_id.clone(),
            url,
            waits: false,
        };
        let begin = tokio::time::Instant::now();
        let observed = self.observer.as_ref().zip(Endpoint::of(&call.path));
        let work = self.attempts(&call, observed, &mut ended);
        match call.cancel {
            None => work.await,
            Some(cancel) => {
                let finished = tokio::select! {
                    biased;
                    () = work => true,
                    () = cancel.cancelled() => false,
                };
                if !finished {
                    let asked = !ended.waits;
                    ended.answer = Err(CallError::Cancelled { asked });
                }
            }
        }
        if let Ok(answer) = &ended.answer {
            let id = answer.header(names::X_REQUEST_ID);
            if !id.is_empty() {
                id.clone_into(&mut ended.correlation_id);
            }
        }
        if let Some((observer, endpoint)) = observed {
            let status = match &ended.answer {
                Ok(answer) => i32::from(answer.status.as_u16()),
                Err(_) => -1,
            };
            observer.ended(endpoint, status, begin.elapsed());
        }
        ended
    }

    async fn attempts(
        &self,
        call: &Call<'_>,
        observed: Option<(&RequestObserver, Endpoint)>,
        ended: &mut Ended,
    ) {
        for attempt in 1.. {
            if let Some((observer, endpoint)) = observed {
                observer.attempt(endpoint);
            }
            let answer = match self.attempt(call, &ended.url).await {
                Ok(answer) => answer,
                Err(error) => {
                    ended.answer = Err(error);
                    return;
                }
            };
            ended.back_pressured |= retry::is_retryable(answer.status);
            let advice = retry::advise(
                attempt,
                answer.status,
                &answer.headers,
                self.clock.now(),
                &self.random,
            );
            ended.answer = Ok(answer);
            let RetryAdvice::Wait(pause) = advice else {
                return;
            };
            // The official log has no runner on this record.
            tracing::info!(
                parent: None,
                context = "ratelimit-requester-gitlab-request",
                duration = logging::duration(pause),
                method = %call.method,
                url = ended.url,
                "Waiting before making the next call"
            );
            ended.waits = true;
            tokio::time::sleep(pause).await;
            ended.waits = false;
        }
    }

    /// One attempt: the request and the redirects that its answers ask for.
    async fn attempt(&self, call: &Call<'_>, url: &str) -> Result<Answer, CallError> {
        let mut hop = Hop {
            method: call.method.clone(),
            url: Cow::Borrowed(url),
            with_body: true,
            with_tokens: true,
            referer: None,
        };
        for number in 1.. {
            let failed = |error| CallError::Transport {
                error,
                url: hop.url.clone().into_owned(),
            };
            let request = self.request(call, &hop).map_err(failed)?;
            let response = self.transport.send(request).await.map_err(failed)?;
            let (mut parts, body) = response.into_parts();
            let location = parts
                .headers
                .get(header::LOCATION)
                .and_then(|value| value.to_str().ok());
            // A URL is parsed only when there is a redirect to follow.
            let redirect = if parts.status.is_redirection() {
                let asked = Url::parse(&hop.url)
                    .map_err(|error| failed(fail(format!("cannot use the URL: {error}"))))?;
                let body = call.body.as_ref().filter(|_| hop.with_body);
                let secret = body.map_or(Secret::None, |body| body.secret);
                redirect::judge(&hop.method, &asked, parts.status, location, secret)
            } else {
                Redirect::None
            };
            match redirect {
                Redirect::None => {
                    return Ok(Answer {
                        status: parts.status,
                        headers: parts.headers,
                        body,
                        tls: parts.extensions.remove(),
                    });
                }
                Redirect::Broken(message) => return Err(failed(fail(message))),
                Redirect::Follow { .. } if number == MAX_REQUESTS => {
                    return Err(CallError::Transport {
                        error: fail(format!("stopped after {MAX_REQUESTS} redirects")),
                        url: location.unwrap_or_default().to_owned(),
                    });
                }
                Redirect::Follow {
                    url,
                    referer,
                    as_get,
                    with_tokens,
                } => {
                    hop.referer = referer;
                    hop.with_tokens &= with_tokens;
                    if as_get {
                        hop.method = Method::GET;
                        hop.with_body = false;
                    }
                    hop.url = Cow::Owned(url.into());
                }
            }
        }
        unreachable!("the last request of an attempt is judged above")
    }

    fn request(&self, call: &Call<'_>, hop: &Hop<'_>) -> Result<Request<Bytes>, TransportError> {
        let body = call.body.as_ref().filter(|_| hop.with_body);
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::USER_AGENT, USER_AGENT.clone());
        let mut set = |name: &'static str, value: &str| {
            let value = HeaderValue::from_str(value).map_err(|_| TransportError {
                message: format!("the value of the header {name} has characters that HTTP forbids"),
            })?;
            headers.insert(HeaderName::from_static(name), value);
            Ok::<(), TransportError>(())
        };
        set(names::X_REQUEST_ID, &call.request_id)?;
        if call.accept {
            set("accept", "application/json")?;
        }
        if let Some(body) = body {
            set("content-type", body.content_type)?;
        }
        if let Some(referer) = &hop.referer {
            set("referer", referer)?;
        }
        for (name, value) in &call.headers {
            set(name, value)?;
        }
        if hop.with_tokens
            && let Some((name, token)) = call.token.filter(|(_, token)| !token.is_empty())
        {
            set(name, token)?;
        }
        if hop.with_tokens
            && let Some(authorization) = &self.authorization
        {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let bytes = body.map_or_else(Bytes::new, |body| body.bytes.clone());
        let mut request = Request::new(bytes);
        *request.method_mut() = hop.method.clone();
        *request.uri_mut() = hop.url.parse().map_err(|error| TransportError {
            message: format!("cannot use the URL: {error}"),
        })?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// The same for every request. Its characters are ASCII.
pub(super) static USER_AGENT: LazyLock<HeaderValue> = LazyLock::new(|| {
    HeaderValue::from_str(&host::user_agent())
        .unwrap_or_else(|_| HeaderValue::from_static(host::NAME))
});

fn fail(message: String) -> TransportError {
    TransportError { message }
}
