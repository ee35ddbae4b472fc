//! `config.toml` in and out (runner.md 3).
//!
//! - `schema`: every key with its type, whether it is always written, and the order of saving.
//! - `section`: a decoded table; `decode` and `encode`: TOML in and out.
//! - [`Config`]: the file; [`RunnerConfig`]: one `[[runners]]` entry, typed, with defaults.
//! - `schema_check`: what the official JSON schema has against values.
//! - `effect`: keys that this runner does not act on.
//! - `option_keys`: the keys as the command line sees them; `merge`: a template fills an entry.
//! - [`system_id`]: `.runner_system_id`; `labels`: rules of labels; `expand`: `$X` in `url` and `token`.
//!
//! The file is held as a tree that follows the schema, so a key that this runner never looks at is still
//! checked when it is read and written back where the official runner writes it.

mod decode;
mod duration;
mod effect;
mod encode;
mod error;
mod expand;
mod file;
mod labels;
mod merge;
mod option_keys;
mod runner_config;
mod schema;
mod schema_check;
mod section;
pub mod system_id;
#[cfg(test)]
mod tests;

pub use duration::parse_duration;
pub(crate) use encode::quoted;
pub use error::ConfigError;
pub use expand::expand_with;
pub use file::{Config, default_path};
pub(crate) use option_keys::{KeyType, OptionKey, option_keys};
pub use runner_config::RunnerConfig;
pub use section::{Section, Value};
