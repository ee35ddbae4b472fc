//! Which checks of the specification are proved, and by what.
//!
//! - [`docs`]: `docs/conformance.md`, made from `docs/checks.tsv`, the tests and the scenarios.

pub mod docs;
