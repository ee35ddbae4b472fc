//! TOML in: a text becomes a tree that follows the schema.

use std::collections::BTreeMap;

use toml_edit::{Document, Item, TableLike, Value as Toml};

use super::duration::parse_duration;
use super::encode::value_form;
use super::error::ConfigError;
use super::schema::{Kind, ROOT, Table};
use super::section::{Free, Section, Value};

/// A decoded file and the keys in it that nobody knows.
pub(super) struct Decoded {
    pub(super) root: Section,
    /// With their tables: `runners.docker.colour`.
    pub(super) unknown: Vec<String>,
}

/// Decodes a file. A byte order mark and CRLF are accepted.
pub(super) fn decode(text: &str) -> Result<Decoded, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document: Document<&str> = Document::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        ConfigError::Toml {
            line: line_at(text, at),
            key: last_key(text, at),
            what: error.message().to_owned(),
        }
    })?;
    let mut decoder = Decoder {
        text,
        unknown: Vec::new(),
    };
    let root = decoder.section(&ROOT, document.as_table(), "")?;
    Ok(Decoded {
        root,
        unknown: decoder.unknown,
    })
}

fn line_at(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    memchr::memchr_iter(b'\n', &text.as_bytes()[..offset]).count() + 1
}

/// The key on the line of `offset`, if the line has one.
fn last_key(text: &str, offset: usize) -> String {
    let line = text
        .lines()
        .nth(line_at(text, offset) - 1)
        .unwrap_or_default();
    match line.split_once('=') {
        Some((key, _)) => key.trim().to_owned(),
        None => String::new(),
    }
}

struct Decoder<'a> {
    text: &'a str,
    unknown: Vec<String>,
}

impl Decoder<'_> {
    fn section(
        &mut self,
        schema: &'static Table,
        table: &dyn TableLike,
        path: &str,
    ) -> Result<Section, ConfigError> {
        let mut section = Section::new(schema);
        for (name, item) in table.iter() {
            let full = join(path, name);
            let Some(key) = schema.key(name) else {
                if schema.open {
                    section.free.insert(name.to_owned(), free(item));
                } else {
                    self.unknown_keys(item, full);
                }
                continue;
            };
            // A spelling that fits exactly wins over one that fits without case.
            if key.name != name && table.contains_key(key.name) {
                self.unknown_keys(item, full);
                continue;
            }
            let value = self.value(key.kind, item, &full)?;
            section.values.insert(key.name, value);
        }
        Ok(section)
    }

    /// Notes an unknown key, and with a table all keys in it.
    fn unknown_keys(&mut self, item: &Item, path: String) {
        let mut below: Vec<(&str, &Item)> = Vec::new();
        if let Some(table) = item.as_table() {
            below.extend(table.iter());
        }
        for table in item.as_array_of_tables().into_iter().flatten() {
            below.extend(table.iter());
        }
        let inner: Vec<_> = below
            .iter()
            .map(|(name, item)| (join(&path, name), *item))
            .collect();
        self.unknown.push(path);
        for (path, item) in inner {
            self.unknown_keys(item, path);
        }
    }

    fn value(&mut self, kind: Kind, item: &Item, path: &str) -> Result<Value, ConfigError> {
        let wrong = |wanted: &str| {
            let line = line_at(self.text, item.span().map_or(0, |span| span.start));
            ConfigError::Toml {
                line,
                key: path.to_owned(),
                what: format!(
                    "incompatible types: TOML value has type {}; destination has type {wanted}",
                    type_name(item)
                ),
            }
        };
        let scalar = item.as_value();
        Ok(match kind {
            Kind::Text => {
                Value::Text(item.as_str().ok_or_else(|| wrong("string"))?.to_owned())
            }
            Kind::Integer => Value::Integer(item.as_integer().ok_or_else(|| wrong("integer"))?),
            Kind::Float => Value::Float(
                item.as_float()
                    .or_else(|| item.as_integer().map(|number| number as f64))
                    .ok_or_else(|| wrong("float"))?,
            ),
            Kind::Boolean | Kind::Tristate => {
                Value::Boolean(item.as_bool().ok_or_else(|| wrong("boolean"))?)
            }
            Kind::Duration => Value::Duration(match scalar {
                Some(Toml::Integer(nanos)) => *nanos.value(),
                Some(Toml::String(text)) => parse_duration(text.value()).ok_or_else(|| {
                    ConfigError::Toml {
                        line: line_at(self.text, item.span().map_or(0, |span| span.start)),
                        key: path.to_owned(),
                        what: format!(
                            "time: invalid duration {:?}; expected a duration such as \"1h30m\" or nanoseconds",
                            text.value()
                        ),
                    }
                })?,
                _ => return Err(wrong("duration")),
            }),
            Kind::Time => match scalar {
                Some(Toml::Datetime(time)) => Value::Time(time.value().to_string()),
                _ => return Err(wrong("datetime")),
            },
            Kind::List => Value::List(texts(item).ok_or_else(|| wrong("list of strings"))?),
            Kind::TextOrList => Value::List(match item.as_str() {
                Some(text) => vec![text.to_owned()],
                None => texts(item).ok_or_else(|| wrong("string or list of strings"))?,
            }),
            Kind::Raw => Value::Raw(item_form(item)),
            Kind::Map => {
                let table = item.as_table_like().ok_or_else(|| wrong("map"))?;
                Value::Map(
                    table
                        .iter()
                        .map(|(name, item)| (name.to_owned(), item_form(item)))
                        .collect(),
                )
            }
            Kind::Table(schema) => {
                let table = item.as_table_like().ok_or_else(|| wrong("table"))?;
                Value::Table(self.section(schema, table, path)?)
            }
            Kind::Tables(schema) => {
                let mut sections = Vec::new();
                if let Some(tables) = item.as_array_of_tables() {
                    for table in tables {
                        sections.push(self.section(schema, table, path)?);
                    }
                } else if let Some(items) = item.as_array() {
                    for item in items {
                        let table = item.as_inline_table().ok_or_else(|| wrong("list of tables"))?;
                        sections.push(self.section(schema, table, path)?);
                    }
                } else {
                    return Err(wrong("list of tables"));
                }
                Value::Tables(sections)
            }
        })
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn type_name(item: &Item) -> &'static str {
    match item.type_name() {
        "array" => "list",
        "inline table" | "table" => "map",
        "array of tables" => "list of maps",
        other => other,
    }
}

fn texts(item: &Item) -> Option<Vec<String>> {
    item.as_array()?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn free(item: &Item) -> Free {
    match item {
        Item::ArrayOfTables(tables) => {
            Free::Tables(tables.iter().map(|table| free_table(table)).collect())
        }
        Item::Table(table) => Free::Table(free_table(table)),
        other => Free::Value(item_form(other)),
    }
}

fn free_table(table: &dyn TableLike) -> BTreeMap<String, Free> {
    table
        .iter()
        .map(|(name, item)| (name.to_owned(), free(item)))
        .collect()
}

/// The form in which an item of a free key is saved; tables become inline.
fn item_form(item: &Item) -> String {
    match item.clone().into_value() {
        Ok(value) => value_form(&value),
        Err(_) => String::from("\"\""),
    }
}
