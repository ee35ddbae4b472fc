//! What a command line and the environment gave.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Value;

/// Values by the names of their options.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Given {
    values: BTreeMap<String, Value>,
}

impl Given {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name)
    }

    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    /// Text, if the option was given.
    pub(in crate::cli) fn given_text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Text, empty if not given.
    pub(in crate::cli) fn text(&self, name: &str) -> &str {
        self.given_text(name).unwrap_or_default()
    }

    /// Whole number, 0 if not given.
    pub(in crate::cli) fn integer(&self, name: &str) -> i64 {
        self.integer_or(name, 0)
    }

    /// Whole number, `default` if not given.
    pub(in crate::cli) fn integer_or(&self, name: &str, default: i64) -> i64 {
        match self.get(name) {
            Some(Value::Integer(number)) => *number,
            _ => default,
        }
    }

    /// Duration, `default` if not given or negative.
    pub(in crate::cli) fn duration_or(&self, name: &str, default: Duration) -> Duration {
        match self.get(name) {
            Some(Value::Duration(nanos)) => {
                u64::try_from(*nanos).map_or(default, Duration::from_nanos)
            }
            _ => default,
        }
    }

    /// Texts, none if not given.
    pub(in crate::cli) fn list(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::List(items)) => items.clone(),
            _ => Vec::new(),
        }
    }

    /// Whether a switch is on; `default` if not given.
    pub(in crate::cli) fn switch_or(&self, name: &str, default: bool) -> bool {
        match self.get(name) {
            Some(Value::Boolean(on)) => *on,
            _ => default,
        }
    }

    /// Whether a switch is on.
    pub(in crate::cli) fn switch(&self, name: &str) -> bool {
        self.switch_or(name, false)
    }
}
