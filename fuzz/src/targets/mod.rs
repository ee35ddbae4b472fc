//! The targets. Each says in its comment what must hold for every input.

mod payload;
mod ranges;
mod scenario;

pub use payload::payload;
pub use ranges::ranges;
pub use scenario::scenario;
