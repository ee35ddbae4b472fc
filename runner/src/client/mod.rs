//! The HTTP dialogue with GitLab (wire.md 1, 3-5, 9).
//!
//! - [`transport`]: sends one request, once; real HTTP, or a function call in virtual time.

pub mod transport;

pub use transport::{Transport, TransportError};
