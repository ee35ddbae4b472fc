//! The HTTP dialogue with GitLab (wire.md 1, 3-5, 9).
//!
//! - [`transport`]: sends one request, once; real HTTP ([`ReqwestTransport`]), or a function call in
//!   virtual time.
//! - [`ApiClient`]: the calls of the runner API, each with its answers as an enum.
//! - `stream`: requests with bodies that are read and written as they come: artifacts.
//! - `retry`, `redirect`, `interval`, `judge`: the rules between a call and its requests, as pure
//!   functions.

mod api;
mod authorization;
mod call;
mod interval;
mod judge;
mod outcome;
mod patch;
mod poll;
mod redirect;
mod reqwest_transport;
mod retry;
mod router;
mod stream;
mod tls;
pub mod transport;
mod update;

pub use call::{ApiClient, ClientSetupError};
pub use outcome::{
    CallFailure, JobCredentials, JobRequestOutcome, JobRequestResult, PatchOutcome, PatchState,
    ReceivedJob, RegisterOutcome, ResetOutcome, UnregisterOutcome, UpdateOutcome, UpdateResult,
    VerifyOutcome,
};
pub use poll::Poll;
pub use reqwest_transport::{ReqwestTransport, TransportOptions};
pub use retry::{MAX_ATTEMPTS, RetryAdvice, advise};
pub(crate) use stream::{
    BodySource, OpenBody, OpenError, StreamAnswer, StreamCall, StreamClient, StreamLimits,
};
pub(crate) use tls::pem_certificate;
pub use tls::{TlsData, TlsFiles};
pub use transport::{ConnectionTls, TlsSource, Transport, TransportError};
