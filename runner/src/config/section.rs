//! A decoded table of the configuration.

use std::collections::BTreeMap;

use super::schema::Table;

/// A value of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// Integer.
    Integer(i64),
    /// Float.
    Float(f64),
    /// Boolean.
    Boolean(bool),
    /// Duration, ns.
    Duration(i64),
    /// Time, as it is written.
    Time(String),
    /// List of texts.
    List(Vec<String>),
    /// Free values in their TOML form, by key (maps of text, numbers or anything).
    Map(BTreeMap<String, String>),
    /// One value of any type, in its TOML form.
    Raw(String),
    /// A table.
    Table(Section),
    /// A list of tables.
    Tables(Vec<Section>),
}

/// What an open table holds under a key that the schema does not list.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Free {
    /// A value in its TOML form.
    Value(String),
    /// A table.
    Table(BTreeMap<String, Free>),
    /// A list of tables.
    Tables(Vec<BTreeMap<String, Free>>),
}

/// A decoded table: the values that the file has, by key.
#[derive(Clone, Debug)]
pub struct Section {
    pub(super) schema: &'static Table,
    pub(super) values: BTreeMap<&'static str, Value>,
    /// Keys of an open table that the schema does not list.
    pub(super) free: BTreeMap<String, Free>,
}

impl PartialEq for Section {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.schema, other.schema)
            && self.values == other.values
            && self.free == other.free
    }
}

impl Section {
    pub(super) fn new(schema: &'static Table) -> Self {
        Section {
            schema,
            values: BTreeMap::new(),
            free: BTreeMap::new(),
        }
    }

    /// The value of `key`, if the file has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Text, empty if not set.
    pub fn text(&self, key: &str) -> &str {
        match self.get(key) {
            Some(Value::Text(text) | Value::Time(text)) => text,
            _ => "",
        }
    }

    /// Integer, 0 if not set.
    pub fn integer(&self, key: &str) -> i64 {
        match self.get(key) {
            Some(Value::Integer(number)) => *number,
            _ => 0,
        }
    }

    /// Boolean, if set.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Some(Value::Boolean(on)) => Some(*on),
            _ => None,
        }
    }

    /// Duration, ns, if set.
    pub fn duration(&self, key: &str) -> Option<i64> {
        match self.get(key) {
            Some(Value::Duration(nanos)) => Some(*nanos),
            _ => None,
        }
    }

    /// List, empty if not set.
    pub fn list(&self, key: &str) -> &[String] {
        match self.get(key) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// A map in TOML forms, if set.
    pub fn map(&self, key: &str) -> Option<&BTreeMap<String, String>> {
        match self.get(key) {
            Some(Value::Map(map)) => Some(map),
            _ => None,
        }
    }

    /// A map of texts; values of other types are left out.
    pub fn text_map(&self, key: &str) -> BTreeMap<String, String> {
        let map = self.map(key).into_iter().flatten();
        map.filter_map(|(name, form)| {
            let value: toml_edit::Value = form.parse().ok()?;
            Some((name.clone(), value.as_str()?.to_owned()))
        })
        .collect()
    }

    /// A table, if set.
    pub fn table(&self, key: &str) -> Option<&Section> {
        match self.get(key) {
            Some(Value::Table(section)) => Some(section),
            _ => None,
        }
    }

    /// A list of tables, empty if not set.
    pub fn tables(&self, key: &str) -> &[Section] {
        match self.get(key) {
            Some(Value::Tables(sections)) => sections,
            _ => &[],
        }
    }

    /// Sets a key of this table; `false` if the table has no such key.
    pub fn set(&mut self, key: &str, value: Value) -> bool {
        match self.schema.key(key) {
            Some(known) => {
                self.values.insert(known.name, value);
                true
            }
            None => false,
        }
    }

    /// Sets a key of a table in this one, with the tables on the way; `false` if there is no such key.
    pub fn set_at(&mut self, path: &[&str], value: Value) -> bool {
        match path {
            [] => false,
            [key] => self.set(key, value),
            [table, rest @ ..] => self
                .table_mut(table)
                .is_some_and(|inner| inner.set_at(rest, value)),
        }
    }

    /// Removes a key.
    pub fn unset(&mut self, key: &str) {
        self.values.remove(key);
    }

    /// The table `key`, made if it is not there; `None` if `key` is no table of this one.
    pub fn table_mut(&mut self, key: &str) -> Option<&mut Section> {
        let known = self.schema.key(key)?;
        let schema = known.kind.table()?;
        match self
            .values
            .entry(known.name)
            .or_insert_with(|| Value::Table(Section::new(schema)))
        {
            Value::Table(section) => Some(section),
            _ => None,
        }
    }
}
