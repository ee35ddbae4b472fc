//! The command `gauntlet`.

mod dispatch;

pub use dispatch::dispatch;
