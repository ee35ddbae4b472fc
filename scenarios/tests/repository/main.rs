//! Rules about the repository itself.

mod conformance;
mod tidy;
