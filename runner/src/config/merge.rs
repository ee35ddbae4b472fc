//! A template fills an entry (runner.md 2.3, RUN-CLI-11, RUN-CLI-27).

use super::section::{Section, Value};

/// Keys of an entry that a template never gives.
const NEVER: [&str; 2] = ["name", "token"];

impl Section {
    /// Takes every value of `template` for which this entry has none, or one that is zero, false or empty.
    /// Tables are filled key by key, and so are maps; lists are not merged.
    pub(crate) fn fill_from(&mut self, template: &Section) {
        for (key, value) in &template.values {
            if NEVER.contains(key) {
                continue;
            }
            match (self.values.get_mut(key), value) {
                (Some(Value::Table(own)), Value::Table(other)) => own.fill_from(other),
                (Some(Value::Map(own)), Value::Map(other)) => {
                    for (name, form) in other {
                        let mine = own.entry(name.clone()).or_default();
                        if is_zero_form(mine) {
                            mine.clone_from(form);
                        }
                    }
                }
                (Some(own), _) if !is_zero(own) => {}
                _ => {
                    self.values.insert(key, value.clone());
                }
            }
        }
        for (name, value) in &template.free {
            self.free
                .entry(name.clone())
                .or_insert_with(|| value.clone());
        }
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Text(text) | Value::Raw(text) => text.is_empty(),
        Value::Time(text) => text.is_empty() || text == super::encode::NO_TIME,
        Value::Integer(number) | Value::Duration(number) => *number == 0,
        Value::Float(number) => *number == 0.0,
        Value::Boolean(on) => !on,
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Table(_) => false,
        Value::Tables(tables) => tables.is_empty(),
    }
}

fn is_zero_form(form: &str) -> bool {
    matches!(form, "" | "\"\"" | "0" | "false" | "[]")
}
