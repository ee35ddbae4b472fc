//! A server in memory, for virtual time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use runner::client::transport::BoxFuture;
use runner::client::{ApiClient, Transport, TransportError};
use runner::clock::TokioClock;
use runner::random::Random;
use serde_json::Value;
use tokio::time::Instant;

/// A request as the server got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Time since the server was made.
    pub(crate) at: Duration,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// A header as text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON, null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    hold: Duration,
    broken: Option<String>,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            hold: Duration::ZERO,
            broken: None,
        }
    }

    /// No answer at all.
    pub(crate) fn broken(message: &str) -> Reply {
        Reply {
            broken: Some(message.to_owned()),
            ..Reply::status(0)
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Reply {
        self.body(&body.to_string())
            .header("content-type", "application/json")
    }

    pub(crate) fn body(mut self, body: &str) -> Reply {
        self.body = Bytes::copy_from_slice(body.as_bytes());
        self
    }

    /// The answer comes so much later.
    pub(crate) fn hold(mut self, hold: Duration) -> Reply {
        self.hold = hold;
        self
    }
}

type Script = Box<dyn FnMut(&Seen) -> Reply + Send>;

/// Answers by a function and remembers what it was asked. A clone is the same server.
#[derive(Clone)]
pub(crate) struct Memory {
    start: Instant,
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Memory {
    pub(crate) fn new(script: impl FnMut(&Seen) -> Reply + Send + 'static) -> Memory {
        Memory {
            start: Instant::now(),
            script: Arc::new(Mutex::new(Box::new(script))),
            seen: Arc::default(),
        }
    }

    /// Answers from a list; the last one stays.
    pub(crate) fn list(replies: Vec<Reply>) -> Memory {
        let mut replies = std::collections::VecDeque::from(replies);
        Memory::new(move |_| {
            if replies.len() > 1 {
                return replies.pop_front().unwrap();
            }
            replies.front().unwrap().clone()
        })
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When requests came, in milliseconds.
    pub(crate) fn times_ms(&self) -> Vec<u64> {
        let times = self.seen().into_iter();
        times.map(|seen| seen.at.as_millis() as u64).collect()
    }

    /// A client of this server. Its wall clock starts at [`NOW`].
    pub(crate) fn client(&self) -> Arc<ApiClient> {
        self.client_of("http://gitlab.test")
    }

    /// The same, for a URL as it could be configured.
    pub(crate) fn client_of(&self, url: &str) -> Arc<ApiClient> {
        let clock = TokioClock::starting_at(NOW.parse().unwrap());
        let transport = Arc::new(self.clone());
        let client = ApiClient::new(url, transport, Random::from_seed(1), Arc::new(clock));
        Arc::new(client.unwrap())
    }
}

/// Wall time at which clients of [`Memory::client`] begin.
pub(crate) const NOW: &str = "2026-11-25T02:00:00Z";

impl Transport for Memory {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let seen = Seen {
                at: self.start.elapsed(),
                method: request.method().clone(),
                url: request.uri().to_string(),
                headers: request.headers().clone(),
                body: request.into_body(),
            };
            let reply = {
                let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
                self.seen.lock().unwrap().push(seen.clone());
                script(&seen)
            };
            tokio::time::sleep(reply.hold).await;
            if let Some(message) = reply.broken {
                return Err(TransportError { message });
            }
            let mut response = Response::builder().status(reply.status);
            for (name, value) in &reply.headers {
                response = response.header(name, value);
            }
            Ok(response.body(reply.body).unwrap())
        })
    }
}
