//! Fuzz targets over the pure cores.
//!
//! A target takes any bytes and panics when a property does not hold. It runs under libFuzzer
//! (`README.md` has the commands) and, over its corpus and small changes of it, as an ordinary test.

#![expect(
    clippy::missing_panics_doc,
    reason = "a panic is how a target reports what it found"
)]

pub mod targets;

/// A target: panics when its property does not hold for these bytes.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also the folder of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("expression", targets::expression),
    ("log", targets::log),
    ("payload", targets::payload),
    ("ranges", targets::ranges),
    ("scenario", targets::scenario),
    ("trace_patch", targets::trace_patch),
];
