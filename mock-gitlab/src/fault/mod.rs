//! Faults: a server that is slow, says the wrong thing, or breaks off, on purpose and by rule.
//!
//! - `endpoint`: which call a request is. `rule`: what one rule says, and when it cannot hold.
//! - `rules`: [`FaultRules`], the engine: a request and `now` give what goes wrong with it. Pure; chance
//!   comes from a generator of its own, made from the world's seed.
//! - `handle`: [`Faults`], the rules that a running server shares. `carry_out`: does what they say.
//!   `body`: answers that are cut or slow.
//!
//! # What a reset is
//!
//! On a socket, the server closes the connection with a TCP reset (`SO_LINGER` 0), and everything that
//! was still on its way is lost. A router that is called in the same process, as in virtual time, has
//! no connection to reset: its answer then carries [`ConnectionReset`] among its extensions, with a
//! body that fails, and whoever plays the transport turns it into a broken connection. What the server
//! had done by then is the same in both: nothing before and within the body, nothing after the body,
//! and everything with [`Reset::AfterAction`].

mod body;
mod carry_out;
mod endpoint;
mod handle;
mod rule;
mod rules;
#[cfg(test)]
mod tests;

pub use carry_out::{ConnectionReset, Faulted};
pub use endpoint::{Call, Endpoint};
pub use handle::Faults;
pub use rule::{FaultError, FaultRule, Reset, SlowBody};
pub use rules::{Decision, FaultId, FaultRequest, FaultRules, FaultState, FaultsSnapshot};
