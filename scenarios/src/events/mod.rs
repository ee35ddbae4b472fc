//! The log of what happened, in one linear order. Expectations and reports read only this.
//!
//! - [`event`]: one event and its line of text; [`log`]: all of them, with a way to wait;
//! - [`pattern`]: texts with `*` that events are matched against.

pub mod event;
pub mod log;
pub mod pattern;

pub use event::{Event, What};
pub use log::EventLog;
