//! Stands before the server: writes every request into the event log, plays the scenario's faults, and
//! knows which runner works on which job.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use protocol::header;
use serde_json::Value;

use crate::events::{EventLog, What};
use crate::scenario::format::{FaultFormat, RequestKind};

/// The answer of a fault may be that the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection closed without an answer (fault of the scenario)")]
pub struct Cut;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Kind.
    pub kind: RequestKind,
    /// Job.
    pub job: Option<i64>,
}

/// Sorts a request by method and path.
pub fn about(method: &str, path: &str) -> About {
    let api = path.strip_prefix(protocol::path::API_V4).unwrap_or("");
    if let Some(rest) = api.strip_prefix("jobs/") {
        let (id, tail) = rest.split_once('/').unwrap_or((rest, ""));
        if let Ok(job) = id.parse() {
            let kind = match (method, tail) {
                ("PATCH", "trace") => RequestKind::Patch,
                ("PUT", "") => RequestKind::Update,
                _ => RequestKind::Other,
            };
            return About {
                kind,
                job: Some(job),
            };
        }
    }
    let kind = match (method, api) {
        ("POST", protocol::path::JOBS_REQUEST) => RequestKind::Poll,
        ("POST", protocol::path::RUNNERS) => RequestKind::Register,
        ("POST", protocol::path::RUNNERS_VERIFY) => RequestKind::Verify,
        ("DELETE", protocol::path::RUNNERS) => RequestKind::Unregister,
        ("DELETE", protocol::path::RUNNERS_MANAGERS) => RequestKind::UnregisterManager,
        _ => RequestKind::Other,
    };
    About { kind, job: None }
}

#[derive(Debug)]
struct ActiveFault {
    fault: FaultFormat,
    seen: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Name of the runner that works on a job.
    workers: BTreeMap<i64, String>,
    /// Names of runners by token.
    names: BTreeMap<String, String>,
    faults: Vec<ActiveFault>,
    /// How many requests of a kind, and of a kind and job, have come.
    counts: BTreeMap<(RequestKind, Option<i64>), usize>,
}

/// See the module.
#[derive(Debug)]
pub struct Tap {
    log: EventLog,
    state: Mutex<State>,
}

impl Tap {
    /// A tap that writes into `log`.
    pub fn new(log: EventLog) -> Tap {
        Tap {
            log,
            state: Mutex::default(),
        }
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

    /// Plays a fault from now on. Its `nth` counts from the beginning.
    pub fn add_fault(&self, fault: FaultFormat) {
        let mut state = self.state();
        let seen = state
            .counts
            .get(&(fault.on, fault.job))
            .copied()
            .unwrap_or_default();
        state.faults.push(ActiveFault { fault, seen });
    }

    /// Ends the faults on requests of a kind.
    pub fn remove_faults(&self, kind: RequestKind) {
        self.state().faults.retain(|active| active.fault.on != kind);
    }

    /// Lets `serve` answer a request, or answers with a fault; writes both down.
    ///
    /// `after` is called before the answer is written down, so that what the request has caused (jobs
    /// that changed their state) can be written down first.
    pub async fn call<F>(
        &self,
        request: Request<Bytes>,
        serve: impl FnOnce(Request<Bytes>) -> F,
        after: impl FnOnce(),
    ) -> Result<Response<Bytes>, Cut>
    where
        F: Future<Output = Response<Bytes>>,
    {
        let about = about(request.method().as_str(), request.uri().path());
        let says = says(&about, &request);
        let who = self.who(&about, &request);
        let fault = self.fault(&about);
        let (answer, is_fault) = match &fault {
            Some(fault) if fault.status == 0 => (Err(Cut), true),
            Some(fault) => (Ok(fault_answer(fault)), true),
            None => (Ok(serve(request).await), false),
        };
        after();
        let given = answer
            .as_ref()
            .ok()
            .and_then(|answer| given_job(&about, answer));
        if let Some(job) = given {
            self.state().workers.insert(job, who.clone());
        }
        self.log.add(
            who,
            What::Request {
                kind: about.kind.as_str(),
                job: about.job,
                says,
                status: answer.as_ref().map_or(0, |answer| answer.status().as_u16()),
                answer: answer
                    .as_ref()
                    .map(|answer| summary(&about, answer, given))
                    .unwrap_or_default(),
                fault: is_fault,
            },
        );
        answer
    }

    fn who(&self, about: &About, request: &Request<Bytes>) -> String {
        let state = self.state();
        let token = request.headers().get(header::RUNNER_TOKEN);
        let token = token.and_then(|token| token.to_str().ok());
        if let Some(name) = token.and_then(|token| state.names.get(token)) {
            return name.clone();
        }
        about
            .job
            .and_then(|job| state.workers.get(&job))
            .cloned()
            .unwrap_or_else(|| "somebody".to_owned())
    }

    /// Counts the request, and finds the fault that is its turn.
    fn fault(&self, about: &About) -> Option<FaultFormat> {
        let mut state = self.state();
        *state.counts.entry((about.kind, None)).or_default() += 1;
        if about.job.is_some() {
            *state.counts.entry((about.kind, about.job)).or_default() += 1;
        }
        let mut found = None;
        for active in &mut state.faults {
            let fault = &active.fault;
            if fault.on != about.kind || (fault.job.is_some() && fault.job != about.job) {
                continue;
            }
            active.seen += 1;
            let turn = active.seen >= fault.nth && active.seen < fault.nth + fault.times;
            if turn && found.is_none() {
                found = Some(fault.clone());
            }
        }
        found
    }
}

/// What the request says, in a few words.
fn says(about: &About, request: &Request<Bytes>) -> String {
    match about.kind {
        RequestKind::Patch => request
            .headers()
            .get(header::CONTENT_RANGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        RequestKind::Update => {
            let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
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
        RequestKind::Other => {
            let path = request.uri().path();
            format!("{} {path}", request.method())
        }
        _ => String::new(),
    }
}

fn given_job(about: &About, answer: &Response<Bytes>) -> Option<i64> {
    if about.kind != RequestKind::Poll || answer.status() != StatusCode::CREATED {
        return None;
    }
    let body: Value = serde_json::from_slice(answer.body()).ok()?;
    body["id"].as_i64()
}

/// What the answer says, in a few words.
fn summary(about: &About, answer: &Response<Bytes>, given: Option<i64>) -> String {
    let header = |name: &str| {
        let value = answer.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    match about.kind {
        RequestKind::Poll => given.map_or_else(String::new, |job| format!("job {job}")),
        RequestKind::Patch | RequestKind::Update => {
            let range = header(header::RANGE).map(|range| format!("range {range}"));
            // `running` is what one expects; anything else is news for the runner.
            let status = header(header::JOB_STATUS).filter(|status| status != "running");
            let parts: Vec<String> = range.into_iter().chain(status).collect();
            parts.join(" ")
        }
        _ => String::new(),
    }
}

fn fault_answer(fault: &FaultFormat) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(fault.body.clone()));
    *answer.status_mut() =
        StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &fault.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(range: &str) -> Request<Bytes> {
        let request = Request::builder()
            .method("PATCH")
            .uri("http://h/api/v4/jobs/1/trace?debug_trace=false")
            .header("Content-Range", range);
        match request.body(Bytes::new()) {
            Ok(request) => request,
            Err(error) => panic!("{error}"),
        }
    }

    async fn accepted(_: Request<Bytes>) -> Response<Bytes> {
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::ACCEPTED;
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn the_nth_request_gets_the_fault() {
        let log = EventLog::begin();
        let tap = Tap::new(log.clone());
        let fault = |nth, times, status| FaultFormat {
            on: RequestKind::Patch,
            job: Some(1),
            nth,
            times,
            status,
            headers: BTreeMap::from([("Range".to_owned(), "0-9".to_owned())]),
            body: String::new(),
        };
        let mut statuses = Vec::new();
        tap.add_fault(fault(2, 1, 416));
        for round in 0..4 {
            if round == 2 {
                // Counts what was seen before it was added.
                tap.add_fault(fault(4, 1, 0));
            }
            let answer = tap.call(patch("0-1"), accepted, || {}).await;
            statuses.push(answer.map_or(0, |answer| answer.status().as_u16()));
        }
        assert_eq!(statuses, [202, 416, 202, 0]);
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
