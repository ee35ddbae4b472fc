//! Job logs (runner.md 6 and 9): bytes against the recordings, what no split of writes may change, what
//! must never appear, and delivery to servers that misbehave, on a paused clock.

mod delivery;
mod header;
mod masks;
mod recorded;
mod splits;
mod support;
