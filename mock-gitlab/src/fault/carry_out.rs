//! Does what the rules say.

use std::future::Future;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, StatusCode};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use protocol::header;
use serde_json::Value;

use super::body::{Broken, Shaped};
use super::endpoint::Call;
use super::handle::Faults;
use super::rule::{FaultRule, Reset};
use super::rules::{Decision, FaultId, FaultRequest};
use crate::world::RunnerId;

/// Most bytes of a body that are read to find the token of its runner; polls are shorter.
const TOKEN_WITHIN: usize = 64 * 1024;

/// Marks an answer that is none: the connection was reset. Its body fails. A server on a socket takes
/// it as its order to reset; a caller in the same process has to look for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionReset;

/// Marks an answer with which a rule interfered; `None` = the server was down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faulted(pub Option<FaultId>);

impl Faults {
    /// Lets `serve` answer a request, with what the rules let go wrong.
    pub async fn carry_out<F>(
        &self,
        request: Request<Body>,
        serve: impl FnOnce(Request<Body>) -> F,
    ) -> Response
    where
        F: Future<Output = Response>,
    {
        if !self.active() {
            return serve(request).await;
        }
        let Some(call) = Call::of(request.method().as_str(), request.uri().path()) else {
            return serve(request).await;
        };
        let (runner, request) = self.who(call, request).await;
        // A restart by somebody else takes this request with it.
        let life = self.life();
        let answer = async {
            match self.decide(FaultRequest { call, runner }) {
                None => serve(request).await,
                Some(Decision::Down) => reset(None),
                Some(Decision::Fault(id, rule)) => match self.play(&rule, request, serve).await {
                    Some(mut answer) => {
                        answer.extensions_mut().insert(Faulted(Some(id)));
                        answer
                    }
                    None => reset(Some(id)),
                },
            }
        };
        tokio::select! {
            biased;
            answer = answer => answer,
            () = life.cancelled() => reset(None),
        }
    }

    /// The answer; `None` = the connection is reset.
    async fn play<F>(
        &self,
        rule: &FaultRule,
        request: Request<Body>,
        serve: impl FnOnce(Request<Body>) -> F,
    ) -> Option<Response>
    where
        F: Future<Output = Response>,
    {
        if let Some(latency) = rule.latency_ms {
            tokio::time::sleep(Duration::from_millis(latency)).await;
        }
        if let Some(down) = rule.restart_ms {
            self.restart(Duration::from_millis(down));
            return None;
        }
        match rule.reset {
            Some(Reset::BeforeBody) => return None,
            Some(Reset::InBody) => {
                let mut body = request.into_body().into_data_stream();
                while let Some(Ok(bytes)) = body.next().await {
                    if !bytes.is_empty() {
                        break;
                    }
                }
                return None;
            }
            Some(Reset::AfterBody) => {
                let mut body = request.into_body().into_data_stream();
                while let Some(Ok(_)) = body.next().await {}
                return None;
            }
            Some(Reset::AfterAction) => {
                drop(serve(request).await);
                return None;
            }
            None => {}
        }
        let answer = match rule.status {
            Some(status) => made_up(status, &rule.body),
            None => serve(request).await,
        };
        Some(spoil(answer, rule, self.now()))
    }

    /// Who calls, if a rule asks for it.
    async fn who(&self, call: Call, request: Request<Body>) -> (Option<RunnerId>, Request<Body>) {
        if !self.asks_for_runner(call) {
            return (None, request);
        }
        if let Some(job) = call.job {
            return (self.runner_of_job(job), request);
        }
        let token = request.headers().get(header::RUNNER_TOKEN);
        if let Some(token) = token.and_then(|token| token.to_str().ok()) {
            return (self.runner_of_token(token), request);
        }
        if !call.endpoint.has_runner_token() {
            return (None, request);
        }
        let (head, body) = request.into_parts();
        let (start, broken, rest) = read_start(body.into_data_stream()).await;
        let runner = token_of(&head.headers, &start).and_then(|token| self.runner_of_token(&token));
        let start = std::iter::once(Ok(start)).chain(broken.map(Err));
        let body = stream::iter(start).chain(rest);
        (runner, Request::from_parts(head, Body::from_stream(body)))
    }
}

/// The first bytes of a body, the error with which it broke off there, and the rest of it.
async fn read_start(mut body: BodyDataStream) -> (Bytes, Option<axum::Error>, BodyDataStream) {
    let mut start = Vec::new();
    let mut broken = None;
    while start.len() < TOKEN_WITHIN
        && let Some(part) = body.next().await
    {
        match part {
            Ok(bytes) => start.extend_from_slice(&bytes),
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    (start.into(), broken, body)
}

/// The token in a JSON or form body.
fn token_of(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        let text = std::str::from_utf8(body).ok()?;
        // Tokens have no characters that a form would have to escape.
        let mut pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        return pairs
            .find(|(name, _)| *name == "token")
            .map(|(_, token)| token.to_owned());
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    Some(value.get("token")?.as_str()?.to_owned())
}

/// No answer at all.
fn reset(id: Option<FaultId>) -> Response {
    let mut answer = Response::new(Body::new(Broken));
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer.extensions_mut().insert(ConnectionReset);
    answer.extensions_mut().insert(Faulted(id));
    answer
}

fn made_up(status: u16, body: &str) -> Response {
    let mut answer = Response::new(Body::from(body.to_owned()));
    // Checked when the rule was made.
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

/// What goes wrong with an answer.
fn spoil(answer: Response, rule: &FaultRule, now: Timestamp) -> Response {
    let (mut head, body) = answer.into_parts();
    // Names and values were checked when the rule was made.
    for (name, value) in &rule.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            head.headers.insert(name, value);
        }
    }
    if let Some(Ok(value)) = rule.content_type.as_ref().map(|value| value.parse()) {
        head.headers.insert(CONTENT_TYPE, value);
    }
    if let Some(skew) = rule.date_skew_s
        && let Some(value) = http_date(now, skew)
    {
        head.headers.insert(DATE, value);
    }
    let body = if rule.truncate.is_some() || rule.slow.is_some() {
        Body::new(Shaped::new(body, rule.truncate, rule.slow))
    } else {
        body
    };
    Response::from_parts(head, body)
}

/// `now` and so many seconds, as HTTP writes dates.
fn http_date(now: Timestamp, skew_s: i64) -> Option<HeaderValue> {
    let time = now.saturating_add(SignedDuration::from_secs(skew_s)).ok()?;
    let text = DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .ok()?;
    HeaderValue::from_str(&text).ok()
}
