//! TLS of the runner's own requests, and what of it a job gets (wire.md 1.4).
//!
//! - `files`: where CA, client certificate and key come from; `data`: what jobs get.
//! - `config`: files in, settings of a connection out.
//! - `verifier`: checks a server's certificate and keeps the chain that proved it.

mod config;
mod data;
mod files;
mod verifier;

pub(super) use config::{TlsState, plain_http_config};
pub use data::TlsData;
pub(crate) use data::pem_certificate;
pub use files::TlsFiles;
