//! Job logs on the server (wire.md 4 and 5.3).
//!
//! - `chunks`: the bytes; `store`: a log, which is its bytes and what belongs to them.
//! - `patch`: the algorithm of wire.md 4.3.

mod chunks;
mod patch;
mod store;

pub(super) use store::{JobLog, PendingState};
