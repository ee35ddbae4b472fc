//! Job logs as people read them: lines with colours, in sections that fold.
//!
//! - `ansi`: colours and other control sequences of one line.
//! - `parse`: lines, time stamps and sections of a log.
//! - `render`: HTML.

mod ansi;
mod parse;
#[cfg(test)]
mod property;
mod render;
#[cfg(test)]
mod tests;

pub use ansi::{Piece, Style};
pub use parse::{Block, Line, Section, parse};
pub use render::render;
