//! The wire types against the specification, the recordings, and all values.

mod bodies;
mod decoding;
mod properties;
mod tables;
