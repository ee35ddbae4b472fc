//! Calls of the runner API, one by one, and what they are made with.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use protocol::runners::{RegisterRequest, VerifyRequest};
use protocol::{Features, Info, JobRequest, JobUpdate, UpdateState};
use runner::client::{
    ApiClient, JobCredentials, JobRequestOutcome, Poll, ReqwestTransport, TlsFiles,
    TransportOptions, VerifyOutcome,
};
use runner::clock::SystemClock;
use runner::logging::{Format, Level, Log};
use runner::random::Random;
use tokio_util::sync::CancellationToken;
use tracing::instrument::WithSubscriber as _;

/// Token of the runner.
pub(crate) const RUNNER: &str = "glrt-t3_AbCdEfGhIjKlMnOpQrSt";
/// Token of the job.
pub(crate) const JOB: &str = "glcbt-64_Job01001TokenAbCdEf";
/// A registration token.
pub(crate) const REGISTRATION: &str = "GR1348941aBcDeFgHiJkLmNoPqRs";
/// A personal access token.
pub(crate) const PERSONAL: &str = "glpat-AbCdEfGhIjKlMnOpQrSt";
/// Id of the machine.
pub(crate) const SYSTEM_ID: &str = "s_0123456789ab";

/// A client over real HTTP.
pub(crate) fn real_client(url: &str) -> ApiClient {
    client_with(url, ReqwestTransport::new(options(url)))
}

/// The usual options for `url`, without TLS files.
pub(crate) fn options(url: &str) -> TransportOptions {
    TransportOptions::for_url(url, TlsFiles::default())
}

pub(crate) fn client_with(url: &str, transport: ReqwestTransport) -> ApiClient {
    let random = Random::from_seed(1);
    ApiClient::new(url, Arc::new(transport), random, Arc::new(SystemClock)).unwrap()
}

/// The runner about itself, as a shell runner does.
pub(crate) fn info() -> Info {
    Info {
        name: "gitlab-runner".to_owned(),
        version: "19.4.0".to_owned(),
        revision: "gauntlet".to_owned(),
        platform: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        executor: "shell".to_owned(),
        shell: "bash".to_owned(),
        features: Features::shell_executor(),
        ..Info::default()
    }
}

pub(crate) fn credentials() -> JobCredentials {
    JobCredentials {
        id: 1001,
        token: JOB.to_owned(),
    }
}

pub(crate) fn update(state: UpdateState) -> JobUpdate {
    JobUpdate::new(info(), "", state)
}

pub(crate) fn job_request() -> Poll {
    Poll::new(JobRequest {
        info: info(),
        token: RUNNER.to_owned(),
        system_id: SYSTEM_ID.to_owned(),
        ..JobRequest::default()
    })
}

pub(crate) async fn poll(client: &ApiClient) -> JobRequestOutcome {
    client
        .request_job(&job_request(), &CancellationToken::new())
        .await
}

pub(crate) async fn verify(client: &ApiClient) -> VerifyOutcome {
    let request = VerifyRequest {
        info: Some(info()),
        token: RUNNER.to_owned(),
        system_id: SYSTEM_ID.to_owned(),
    };
    client.verify(&request).await
}

/// Calls of the runner API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Register,
    Verify,
    Unregister,
    UnregisterManager,
    ResetToken,
    ResetById,
    Poll,
    Update,
    Patch,
}

impl Api {
    pub(crate) const ALL: [Api; 9] = [
        Api::Register,
        Api::Verify,
        Api::Unregister,
        Api::UnregisterManager,
        Api::ResetToken,
        Api::ResetById,
        Api::Poll,
        Api::Update,
        Api::Patch,
    ];

    /// Makes the call; what it brought as text.
    pub(crate) async fn call(self, client: &ApiClient) -> String {
        match self {
            Api::Register => {
                let request = RegisterRequest {
                    token: REGISTRATION.to_owned(),
                    info: info(),
                    ..RegisterRequest::default()
                };
                format!("{:?}", client.register(&request).await)
            }
            Api::Verify => format!("{:?}", verify(client).await),
            Api::Unregister => format!("{:?}", client.unregister_runner(RUNNER).await),
            Api::UnregisterManager => {
                format!("{:?}", client.unregister_manager(RUNNER, SYSTEM_ID).await)
            }
            Api::ResetToken => format!("{:?}", client.reset_token(RUNNER).await),
            Api::ResetById => format!("{:?}", client.reset_token_by_id(17, PERSONAL).await),
            Api::Poll => format!("{:?}", poll(client).await.result),
            Api::Update => {
                let update = update(UpdateState::Running);
                let outcome = client.update_job(&credentials(), update).await;
                format!("{:?}", outcome.result)
            }
            Api::Patch => {
                let content = Bytes::from_static(b"log of the job\n");
                let job = credentials();
                let outcome = client.patch_trace(&job, content, 5, false).await;
                format!("{:?}", outcome.state)
            }
        }
    }
}

/// What `work` writes to the process log, in the format of the runner, without colours and padding.
pub(crate) async fn logged<T>(work: impl Future<Output = T>) -> (T, String) {
    let sink = Arc::new(Mutex::new(Vec::new()));
    let log = Log::new(
        Arc::clone(&sink) as runner::logging::Sink,
        Arc::new(SystemClock),
    );
    log.fix(Some(Level::Debug), Some(Format::Json));
    let value = work.with_subscriber(log.dispatch()).await;
    let bytes = sink.lock().unwrap().clone();
    (value, String::from_utf8(bytes).unwrap())
}
