//! Delivery to servers that are away, forget answers, or claim odd things; on a paused clock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::Timestamp;
use proptest::prelude::*;
use protocol::Info;
use runner::client::transport::BoxFuture;
use runner::client::{ApiClient, JobCredentials, Transport, TransportError};
use runner::clock::TokioClock;
use runner::executor::ManagerLines;
use runner::job::LogSink;
use runner::random::Random;
use runner::trace::{FinalOutcome, JobLog, JobResult, JobTrace, LogOptions, Spool, TraceSettings};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::support::{bytes, contains, masked, options};

/// What the server does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It obeys the protocol.
    Obey,
    /// The request never arrives.
    LoseRequest,
    /// It obeys, but its answer never arrives.
    LoseAnswer,
    /// It answers this status and does nothing.
    Status(u16),
    /// It answers 416 with this `Range`.
    Claim(&'static str),
}

/// A request as it came.
#[derive(Clone, Debug)]
struct Seen {
    at: Duration,
    method: Method,
    start: u64,
    body: Bytes,
}

#[derive(Default)]
struct State {
    stored: Vec<u8>,
    seen: Vec<Seen>,
    requests: usize,
}

type Fates = dyn Fn(usize, Duration, &Method) -> Fate + Send + Sync;

/// A server that keeps one log, by the rules of wire.md 4.3.
struct Server {
    begin: Instant,
    state: Mutex<State>,
    fates: Box<Fates>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    fn new(fates: impl Fn(usize, Duration, &Method) -> Fate + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Server {
            begin: Instant::now(),
            state: Mutex::default(),
            fates: Box::new(fates),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stored(&self) -> Vec<u8> {
        self.state().stored.clone()
    }

    fn seen(&self, method: &Method) -> Vec<Seen> {
        let state = self.state();
        let seen = state.seen.iter().filter(|seen| seen.method == method);
        seen.cloned().collect()
    }

    /// Final updates.
    fn results(&self) -> Vec<(Duration, Value)> {
        self.seen(&Method::PUT)
            .into_iter()
            .map(|seen| {
                let body = serde_json::from_slice(&seen.body).expect("an update");
                (seen.at, body)
            })
            .filter(|(_, body): &(_, Value)| body["state"] != "running")
            .collect()
    }

    fn answer(&self, seen: &Seen) -> Response<Bytes> {
        let mut state = self.state();
        if seen.method == Method::PUT {
            return status(200, None);
        }
        let end = seen.start + seen.body.len() as u64;
        if state.stored.len() as u64 == seen.start {
            state.stored.extend_from_slice(&seen.body);
        }
        let size = state.stored.len() as u64;
        let code = if size == end { 202 } else { 416 };
        status(code, Some(&format!("0-{size}")))
    }
}

fn status(code: u16, range: Option<&str>) -> Response<Bytes> {
    let mut response = Response::builder().status(code);
    if let Some(range) = range {
        response = response.header("range", range);
    }
    response.body(Bytes::new()).expect("a response")
}

impl Transport for Server {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let at = self.begin.elapsed();
            let start = request
                .headers()
                .get("content-range")
                .and_then(|range| range.to_str().ok()?.split('-').next()?.parse().ok())
                .unwrap_or_default();
            let seen = Seen {
                at,
                method: request.method().clone(),
                start,
                body: request.body().clone(),
            };
            let number = {
                let mut state = self.state();
                state.requests += 1;
                state.requests - 1
            };
            let lost = || {
                Err(TransportError {
                    message: "connection reset by peer".to_owned(),
                })
            };
            let fate = (self.fates)(number, at, &seen.method);
            if fate == Fate::LoseRequest {
                return lost();
            }
            self.state().seen.push(seen.clone());
            match fate {
                Fate::Obey => Ok(self.answer(&seen)),
                Fate::LoseAnswer => {
                    self.answer(&seen);
                    lost()
                }
                Fate::Status(code) => Ok(status(code, None)),
                Fate::Claim(range) if seen.method == Method::PATCH => Ok(status(416, Some(range))),
                Fate::Claim(_) => Ok(status(200, None)),
                Fate::LoseRequest => unreachable!("returned above"),
            }
        })
    }
}

/// A log and its delivery to `server`.
fn start(server: &Arc<Server>, options: LogOptions) -> (JobLog, JobTrace) {
    let clock = Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH));
    let transport: Arc<dyn Transport> = Arc::<Server>::clone(server);
    let client = ApiClient::new("http://h", transport, Random::from_seed(1), clock.clone());
    let client = Arc::new(client.expect("a client"));
    let log = JobLog::new(options, clock, Spool::memory());
    let job = JobCredentials {
        id: 1,
        token: "t".to_owned(),
    };
    let settings = TraceSettings::new(Info::default());
    let trace = JobTrace::start(client, job, log.clone(), settings);
    (log, trace)
}

/// Writes a line each second for so long, as a job does, and ends it.
async fn job(server: &Arc<Server>, seconds: u64, options: LogOptions) -> (JobLog, FinalOutcome) {
    let (log, trace) = start(server, options);
    log.println("Running with a test");
    let (mut out, err) = log.stream();
    for second in 0..seconds {
        out.write(format!("line {second} of a long job\n").as_bytes());
        sleep(Duration::from_secs(1)).await;
    }
    drop((out, err));
    log.result_success("Job succeeded");
    let outcome = trace.finish(&JobResult::success()).await;
    (log, outcome)
}

fn assert_complete(server: &Server, log: &JobLog) {
    let all = bytes(log);
    assert_eq!(
        String::from_utf8_lossy(&server.stored()),
        String::from_utf8_lossy(&all)
    );
    let results = server.results();
    let (_, last) = results.last().expect("a final update");
    assert_eq!(last["output"]["bytesize"], all.len());
    assert_eq!(last["output"]["checksum"], log.checksum());
}

/// Goal: a server that is away for ten minutes in the middle of a job has the whole log afterwards,
/// whether it refuses connections, answers 502, or took the last piece before it went away.
///
/// Proves RUN-LOG-11.
#[tokio::test(start_paused = true)]
async fn ten_minutes_without_a_server() {
    for away in [Fate::LoseRequest, Fate::Status(502), Fate::LoseAnswer] {
        let server = Server::new(move |_, at, _| {
            let minute = at.as_secs() / 60;
            if (5..15).contains(&minute) {
                away
            } else {
                Fate::Obey
            }
        });
        let (log, outcome) = job(&server, 20 * 60, options(true)).await;
        assert_eq!(outcome, FinalOutcome::Delivered, "{away:?}");
        assert_complete(&server, &log);
        assert_eq!(server.results().len(), 1);
    }
}

/// Goal: a server that is away when the job ends gets log and result when it is back.
#[tokio::test(start_paused = true)]
async fn away_at_the_end() {
    let server = Server::new(|_, at, _| {
        if (50..290).contains(&at.as_secs()) {
            Fate::LoseRequest
        } else {
            Fate::Obey
        }
    });
    let (log, outcome) = job(&server, 60, options(true)).await;
    assert_eq!(outcome, FinalOutcome::Delivered);
    assert_complete(&server, &log);
}

/// Goal: ten runs of the final update, with the pauses of wire.md 5.4; then it is given up.
///
/// Proves RUN-LOG-12.
#[tokio::test(start_paused = true)]
async fn ten_final_updates() {
    let server = Server::new(|_, _, method| match *method {
        Method::PUT => Fate::Status(400),
        _ => Fate::Obey,
    });
    let (log, trace) = start(&server, options(false));
    log.println("x");
    assert_eq!(
        trace.finish(&JobResult::success()).await,
        FinalOutcome::GaveUp
    );
    let times: Vec<u64> = server
        .results()
        .iter()
        .map(|(at, _)| at.as_secs())
        .collect();
    let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses, [4, 5, 7, 11, 19, 35, 67, 131, 259]);
}

/// Goal: a server that claims more than was logged, or always the same, does not keep the job: after a
/// bounded number of tries its result is sent (docs/differences.md).
#[tokio::test(start_paused = true)]
async fn a_claim_beyond_the_log_ends() {
    for range in ["0-1000000", "0-3", "0-18446744073709551615", "junk"] {
        let server = Server::new(move |_, _, _| Fate::Claim(range));
        let begin = Instant::now();
        let (_, outcome) = job(&server, 60, options(true)).await;
        assert_eq!(outcome, FinalOutcome::Delivered, "{range}");
        assert_eq!(server.results().len(), 1);
        let ended = begin.elapsed().as_secs();
        assert!(ended <= 60 + 10 * 3 + 3, "{range}: {ended} s");
    }
}

/// Goal: a secret is not split over two patches either, not over their end at 1 MiB and not in time: no
/// patch holds a part of it.
///
/// Proves RUN-LOG-06.
#[tokio::test(start_paused = true)]
async fn no_secret_over_two_patches() {
    const SECRET: &str = "s3cr3t-value-that-is-long";
    let server = Server::new(|_, _, _| Fate::Obey);
    let (log, trace) = start(&server, masked(false, &[SECRET], &["glpat-"]));
    let (mut out, err) = log.stream();
    // Each piece comes after a patch.
    for piece in SECRET.as_bytes().chunks(5) {
        out.write(piece);
        sleep(Duration::from_secs(4)).await;
    }
    for piece in ["gl", "pat", "-", "abc", "defgh"] {
        out.write(piece.as_bytes());
        sleep(Duration::from_secs(4)).await;
    }
    // Over the end of a patch at every offset.
    let line = format!("{SECRET} and glpat-abcdefgh \n");
    out.write(line.repeat(3 * 1024 * 1024 / line.len()).as_bytes());
    drop((out, err));
    assert_eq!(
        trace.finish(&JobResult::success()).await,
        FinalOutcome::Delivered
    );
    assert_complete(&server, &log);
    let patches = server.seen(&Method::PATCH);
    assert!(patches.len() >= 2);
    for bytes in patches
        .iter()
        .map(|patch| &patch.body[..])
        .chain([&server.stored()[..]])
    {
        for part in ["s3cr3t", "value", "abcdefgh", "defgh"] {
            assert!(!contains(bytes, part.as_bytes()), "{part}");
        }
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Obey),
        2 => Just(Fate::LoseRequest),
        2 => Just(Fate::LoseAnswer),
        1 => Just(Fate::Status(500)),
        1 => Just(Fate::Status(409)),
        1 => Just(Fate::Claim("0-0")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Goal: whatever happens to single requests, the log arrives whole and once.
    #[test]
    fn the_log_arrives(mut fates in proptest::collection::vec(fate(), 0..60)) {
        // Ten runs of the final update that fail are its end (`job_status_final_update_retry_limit`).
        let mut failures = 0;
        for fate in &mut fates {
            failures += 1;
            if matches!(fate, Fate::Obey) || failures > 8 {
                *fate = Fate::Obey;
                failures = 0;
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let server = Server::new(move |number, _, _| {
                fates.get(number).copied().unwrap_or(Fate::Obey)
            });
            let (log, outcome) = job(&server, 90, options(true)).await;
            assert_eq!(outcome, FinalOutcome::Delivered);
            assert_complete(&server, &log);
        });
    }
}
