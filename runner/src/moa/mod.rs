//! Moa, the expression language of job inputs: `${{ job.inputs.NAME }}` (runner.md 5.1, RUN-JOB-25).
//!
//! A pure core: a [`Template`] is parsed from a text and rendered against a [`Scope`]; both give errors
//! with a place. What GitLab documents is here: literals, arrays, objects, properties, the operators
//! with their precedence, `str`, `num` and `bool`. Where its documents are silent, docs/differences.md
//! says what was guessed.
//!
//! - [`Value`]: what an expression gives, with its mark as sensitive.
//! - [`Template`]: text with expressions in it.

mod ast;
mod eval;
mod parser;
mod strings;
#[cfg(test)]
mod tests;
mod value;

pub use ast::Template;
pub use eval::{EvalError, Scope};
pub use parser::ParseError;
pub use value::{Kind, Value};
