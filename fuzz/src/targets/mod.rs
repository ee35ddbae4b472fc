//! The targets. Each says in its comment what must hold for every input.

mod expression;
mod log;
mod payload;
mod ranges;
mod scenario;
mod trace_patch;

pub use expression::expression;
pub use log::log;
pub use payload::payload;
pub use ranges::ranges;
pub use scenario::scenario;
pub use trace_patch::trace_patch;
