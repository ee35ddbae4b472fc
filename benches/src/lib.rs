//! Loads for the benches, and the figures of `docs/performance.md`.
//!
//! - [`load`]: worlds with many jobs, and the requests that hit them.
//! - [`serve`], [`client`]: servers in processes of their own, and who hits them; [`fleet`]: runners in
//!   virtual time.
//! - [`job_stream`]: a manager that takes one job after the other.
//! - [`runner`]: a whole runner in a process of its own, and the server that it polls.
//! - [`process`]: memory and CPU time of a process, as Linux tells them.
//! - [`figures`]: the table that `cargo run --release -p benches` prints.
//!
//! The criterion benches in `benches/` are for looking closely at one thing; the figures are for the
//! targets: each is measured, compared with its target, and the exit code says whether all were met.

pub mod client;
pub mod figures;
pub mod fleet;
pub mod job_stream;
pub mod load;
pub mod process;
pub mod runner;
pub mod serve;
