//! Stands before the server: writes every request into the event log, lets the scenario's faults happen,
//! and knows which runner works on which job.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use mock_gitlab::fault::{Call, ConnectionReset, Endpoint, FaultError, Faulted, Faults};
use protocol::header;
use serde_json::Value;

use crate::events::{EventLog, What};
use crate::scenario::fault_format::FaultFormat;

/// Requests that a fault counts: those on an endpoint, or all; those about a job, or all.
type Counted = (Option<Endpoint>, Option<i64>);

#[derive(Debug, Default)]
struct State {
    /// Name of the runner that works on a job.
    workers: BTreeMap<i64, String>,
    /// Names of runners by token.
    names: BTreeMap<String, String>,
    /// How many have come.
    counts: BTreeMap<Counted, u64>,
}

/// See the module.
#[derive(Debug)]
pub struct Tap {
    log: EventLog,
    faults: Faults,
    state: Mutex<State>,
}

impl Tap {
    /// A tap that writes into `log` and lets `faults` happen.
    pub fn new(log: EventLog, faults: Faults) -> Tap {
        Tap {
            log,
            faults,
            state: Mutex::default(),
        }
    }

    /// The faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which runner has which token.
    pub fn name_tokens(&self, tokens: &BTreeMap<String, String>) {
        let mut state = self.state();
        for (name, token) in tokens {
            state.names.insert(token.clone(), name.clone());
        }
    }

    /// Lets a fault happen from now on. Its `nth` counts from the beginning. `runner` is the id of the
    /// runner that it names.
    pub fn add_fault(&self, fault: &FaultFormat, runner: Option<i64>) -> Result<(), FaultError> {
        let counts = &self.state().counts;
        let seen = counts.get(&(fault.on, fault.job)).copied();
        // Without a rule all requests that it is for have gone by.
        if let Some(rule) = fault.rule(seen.unwrap_or_default(), runner) {
            self.faults.add(rule)?;
        }
        Ok(())
    }

    /// Ends the faults on requests of a kind.
    pub fn remove_faults(&self, kind: Endpoint) {
        for state in self.faults.all() {
            if state.rule.on == Some(kind) {
                self.faults.remove(state.id);
            }
        }
    }

    /// Lets `serve` answer a request, unless a fault does; writes both down.
    ///
    /// `after` is called before the answer is written down, so that what the request has caused (jobs
    /// that changed their state) can be written down first.
    pub async fn call<F>(
        &self,
        request: Request<Body>,
        serve: impl FnOnce(Request<Body>) -> F,
        after: impl FnOnce(),
    ) -> Response
    where
        F: Future<Output = Response<Bytes>>,
    {
        let Some(call) = Call::of(request.method().as_str(), request.uri().path()) else {
            return serve(request).await.map(Body::from);
        };
        self.count(call);
        let (says, request) = says(call, request).await;
        let who = self.who(call, request.headers());
        let given = Mutex::new(None);
        let tapped = |request| async {
            let answer = serve(request).await;
            if let Ok(mut given) = given.lock() {
                *given = given_job(call, &answer);
            }
            answer.map(Body::from)
        };
        let answer = self.faults.carry_out(request, tapped).await;
        after();
        let given = given.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = given {
            self.state().workers.insert(job, who.clone());
        }
        let reset = answer.extensions().get::<ConnectionReset>().is_some();
        self.log.add(
            who,
            What::Request {
                kind: event_name(call.endpoint),
                job: call.job,
                says,
                status: if reset { 0 } else { answer.status().as_u16() },
                answer: if reset {
                    String::new()
                } else {
                    summary(call, answer.headers(), given)
                },
                fault: answer.extensions().get::<Faulted>().is_some(),
            },
        );
        answer
    }

    fn who(&self, call: Call, headers: &HeaderMap) -> String {
        let state = self.state();
        let token = headers.get(header::RUNNER_TOKEN);
        let token = token.and_then(|token| token.to_str().ok());
        if let Some(name) = token.and_then(|token| state.names.get(token)) {
            return name.clone();
        }
        call.job
            .and_then(|job| state.workers.get(&job))
            .cloned()
            .unwrap_or_else(|| "somebody".to_owned())
    }

    fn count(&self, call: Call) {
        let mut state = self.state();
        let jobs = [None, call.job];
        // A call about no job would count twice otherwise.
        for job in &jobs[..if call.job.is_some() { 2 } else { 1 }] {
            for endpoint in [None, Some(call.endpoint)] {
                *state.counts.entry((endpoint, *job)).or_default() += 1;
            }
        }
    }
}

/// Name of a kind of calls in events.
fn event_name(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Poll
        | Endpoint::Patch
        | Endpoint::Update
        | Endpoint::Register
        | Endpoint::Verify
        | Endpoint::Unregister
        | Endpoint::UnregisterManager => endpoint.as_str(),
        _ => "other",
    }
}

/// What the request says, in a few words. The body of an update has to be read for that.
async fn says(call: Call, request: Request<Body>) -> (String, Request<Body>) {
    match call.endpoint {
        Endpoint::Patch => {
            let range = request.headers().get(header::CONTENT_RANGE);
            let range = range.and_then(|value| value.to_str().ok());
            (range.unwrap_or_default().to_owned(), request)
        }
        Endpoint::Update => {
            let (head, body) = request.into_parts();
            // The sender of a body that breaks off is gone, and does not read the answer.
            let bytes = body
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes);
            let bytes = bytes.unwrap_or_default();
            let says = update_says(&bytes);
            (says, Request::from_parts(head, Body::from(bytes)))
        }
        endpoint if event_name(endpoint) == "other" => {
            let path = request.uri().path();
            (format!("{} {path}", request.method()), request)
        }
        _ => (String::new(), request),
    }
}

fn update_says(body: &Bytes) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
    let mut says = text("state");
    let reason = text("failure_reason");
    if !reason.is_empty() {
        says.push(' ');
        says.push_str(&reason);
    }
    if let Some(code) = body["exit_code"].as_i64().filter(|code| *code != 0) {
        says.push_str(" exit code ");
        says.push_str(&code.to_string());
    }
    says
}

fn given_job(call: Call, answer: &Response<Bytes>) -> Option<i64> {
    if call.endpoint != Endpoint::Poll || answer.status() != StatusCode::CREATED {
        return None;
    }
    let body: Value = serde_json::from_slice(answer.body()).ok()?;
    body["id"].as_i64()
}

/// What the answer says, in a few words.
fn summary(call: Call, headers: &HeaderMap, given: Option<i64>) -> String {
    let header = |name: &str| {
        let value = headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    match call.endpoint {
        Endpoint::Poll => given.map_or_else(String::new, |job| format!("job {job}")),
        Endpoint::Patch | Endpoint::Update => {
            let range = header(header::RANGE).map(|range| format!("range {range}"));
            // `running` is what one expects; anything else is news for the runner.
            let status = header(header::JOB_STATUS).filter(|status| status != "running");
            let parts: Vec<String> = range.into_iter().chain(status).collect();
            parts.join(" ")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mock_gitlab::world::{Settings, World};

    use super::*;

    fn patch(range: &str) -> Request<Body> {
        let request = Request::builder()
            .method("PATCH")
            .uri("http://h/api/v4/jobs/1/trace?debug_trace=false")
            .header("Content-Range", range);
        match request.body(Body::empty()) {
            Ok(request) => request,
            Err(error) => panic!("{error}"),
        }
    }

    async fn accepted(_: Request<Body>) -> Response<Bytes> {
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::ACCEPTED;
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn the_nth_request_gets_the_fault() {
        let log = EventLog::begin();
        let world = Arc::new(Mutex::new(World::new(Settings::default(), 0)));
        let faults = Faults::new(world, Arc::new(|| jiff::Timestamp::UNIX_EPOCH), 0);
        let tap = Tap::new(log.clone(), faults);
        let fault = |nth, times, status| FaultFormat {
            on: Some(Endpoint::Patch),
            job: Some(1),
            nth: Some(nth),
            times: Some(times),
            status: Some(status),
            headers: BTreeMap::from([("Range".to_owned(), "0-9".to_owned())]),
            ..FaultFormat::default()
        };
        let cut = FaultFormat {
            headers: BTreeMap::new(),
            ..fault(4, 1, 0)
        };
        tap.add_fault(&fault(2, 1, 416), None).expect("a good rule");
        for round in 0..4 {
            if round == 2 {
                // Counts what was seen before it was added.
                tap.add_fault(&cut, None).expect("a good rule");
            }
            tap.call(patch("0-1"), accepted, || {}).await;
        }
        let lines: Vec<String> = log.events().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "somebody patch job 1 0-1 -> 202",
                "somebody patch job 1 0-1 -> 416 range 0-9 (fault)",
                "somebody patch job 1 0-1 -> 202",
                "somebody patch job 1 0-1 -> 0 (fault)",
            ]
        );
    }
}
