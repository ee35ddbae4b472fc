//! Servers to be measured from outside: the mock, and a bare hyper server that does the least possible for
//! the same request. Each runs in a process of its own, so that its CPU time can be read.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use mock_gitlab::http::{Limits, Now, router};
use tokio::net::TcpListener;

use crate::load::{Load, LoadError};

/// Jobs of [`Kind::MockJobs`].
pub const TRACE_JOBS: usize = 64;
/// How long [`Kind::MockHolding`] holds a poll, s.
pub const HOLD_S: u64 = 300;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `mock_gitlab::http` over a world with one runner.
    Mock,
    /// The same, with [`TRACE_JOBS`] pending jobs.
    MockJobs,
    /// The same, without jobs; polls are held for [`HOLD_S`].
    MockHolding,
    /// Reads the body, answers 204 with one header.
    Bare,
    /// The same, and the body stays in memory as it came.
    BareKeeping,
}

const KINDS: [Kind; 5] = [
    Kind::Mock,
    Kind::MockJobs,
    Kind::MockHolding,
    Kind::Bare,
    Kind::BareKeeping,
];

impl Kind {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Mock => "mock",
            Kind::MockJobs => "mock-jobs",
            Kind::MockHolding => "mock-holding",
            Kind::Bare => "bare",
            Kind::BareKeeping => "bare-keeping",
        }
    }

    /// Reads [`Kind::name`].
    pub fn from_name(name: &str) -> Option<Kind> {
        KINDS.into_iter().find(|kind| kind.name() == name)
    }
}

/// Serves on a free loopback port until the process is killed; prints the address first.
///
/// # Errors
///
/// When there is no port or no runtime.
pub fn serve(kind: Kind) -> Result<(), LoadError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?);
            std::io::stdout().flush()?;
            match kind {
                Kind::Mock => mock(listener, Load::new(0, 1)?).await,
                Kind::MockJobs => mock(listener, Load::new(TRACE_JOBS, 1)?).await,
                Kind::MockHolding => mock(listener, Load::long_polling(0, 1, HOLD_S)?).await,
                Kind::Bare => bare(listener, None).await,
                Kind::BareKeeping => bare(listener, Some(Arc::default())).await,
            }
        })
}

async fn mock(listener: TcpListener, load: Load) -> Result<(), LoadError> {
    let world = load.world;
    let now: Now =
        Arc::new(|| Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH));
    let router = router(Arc::new(Mutex::new(world)), now, Limits::default());
    mock_gitlab::server::serve(listener, router, tokio_util::sync::CancellationToken::new()).await;
    Ok(())
}

/// Bodies that are kept, in the parts in which they came.
type Kept = Arc<Mutex<Vec<Bytes>>>;

async fn bare(listener: TcpListener, kept: Option<Kept>) -> Result<(), LoadError> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let kept = kept.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let kept = kept.clone();
                async move {
                    let mut body = request.into_body();
                    match kept {
                        None => drop(body.collect().await),
                        Some(kept) => keep(&mut body, &kept).await,
                    }
                    let mut response = Response::new(Empty::<Bytes>::new());
                    *response.status_mut() = http::StatusCode::NO_CONTENT;
                    response.headers_mut().insert(
                        "x-gitlab-last-update",
                        http::HeaderValue::from_static("0123456789abcdef0123456789abcdef"),
                    );
                    Ok::<_, Infallible>(response)
                }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn keep(body: &mut Incoming, kept: &Kept) {
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            kept.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(data);
        }
    }
}
