//! Job logs on the server (wire.md 4 and 5.3).
//!
//! - `store`: the bytes, their checksum, and what belongs to them.
//! - `patch`: the algorithm of wire.md 4.3.

mod patch;
mod store;

pub(super) use store::{JobLog, PendingState};
