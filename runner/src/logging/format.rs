use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

use super::quote::{go_float, json_string, text_value};
use super::{Format, Level, go_duration};

/// Fields of a record, by key.
pub(super) type Fields = BTreeMap<&'static str, Value>;

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) level: Level,
    pub(super) message: String,
    pub(super) fields: Fields,
}

/// Value of a field. JSON shows types; the other formats show text.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    /// Nanoseconds.
    Duration(u64),
    /// Number and name.
    Signal(i32, String),
}

impl Value {
    /// The value as Go's `%v` shows it.
    pub(super) fn plain(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => go_float(*number, -4),
            Value::Boolean(yes) => yes.to_string(),
            Value::Duration(nanos) => go_duration(Duration::from_nanos(*nanos)),
            Value::Signal(_, name) => name.clone(),
        }
    }

    fn json(&self) -> String {
        match self {
            Value::Text(text) => json_string(text),
            Value::Float(number) if number.is_finite() => go_float(*number, -6),
            Value::Float(_) => "null".to_owned(),
            Value::Duration(nanos) => nanos.to_string(),
            Value::Signal(number, _) => number.to_string(),
            Value::Integer(_) | Value::Boolean(_) => self.plain(),
        }
    }
}

/// The record with its newline.
pub(super) fn line(format: Format, now: Timestamp, record: &Record) -> String {
    match format {
        Format::Runner => runner(record),
        Format::Text => text(&stamp(now), record),
        Format::TextSeconds => text(&whole_seconds(now), record),
        Format::Json => json(now, record),
    }
}

const RESET: &str = "\x1b[0;m";
/// Columns of prefix and message together.
const WIDTH: usize = 50;

/// Coloured lines; colours are kept on files and pipes too (runner.md 2.1).
fn runner(record: &Record) -> String {
    let (colour, prefix) = match record.level {
        Level::Trace | Level::Info => ("", ""),
        Level::Debug => ("\x1b[37;1m", ""),
        Level::Warning => ("\x1b[0;33m", "WARNING: "),
        Level::Error => ("\x1b[31;1m", "ERROR: "),
        Level::Fatal => ("\x1b[31;1m", "FATAL: "),
        Level::Panic => ("\x1b[31;1m", "PANIC: "),
    };
    let width = WIDTH - prefix.len();
    let mut line = format!("{colour}{prefix}{:<width$}{RESET} ", record.message);
    for (key, value) in &record.fields {
        let _ = write!(line, " {colour}{key}{RESET}={}", value.plain());
    }
    line.push('\n');
    line
}

fn text(time: &str, record: &Record) -> String {
    let mut line = format!("time=\"{time}\" level={}", record.level.name());
    if !record.message.is_empty() {
        let _ = write!(line, " msg={}", text_value(&record.message));
    }
    for (key, value) in &record.fields {
        let _ = write!(line, " {key}={}", text_value(&value.plain()));
    }
    line.push('\n');
    line
}

fn json(now: Timestamp, record: &Record) -> String {
    let mut members: BTreeMap<&str, String> = record
        .fields
        .iter()
        .map(|(key, value)| (*key, value.json()))
        .collect();
    members.insert("level", json_string(record.level.name()));
    members.insert("msg", json_string(&record.message));
    members.insert("time", json_string(&stamp(now)));
    let mut line = String::from("{");
    for (index, (key, value)) in members.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(line, "{comma}{}:{value}", json_string(key));
    }
    line.push_str("}\n");
    line
}

/// RFC 3339 with the fraction's trailing zeros left out, as Go prints it.
fn stamp(now: Timestamp) -> String {
    DateTimePrinter::new().timestamp_to_string(&now)
}

fn whole_seconds(now: Timestamp) -> String {
    DateTimePrinter::new()
        .precision(Some(0))
        .timestamp_to_string(&now)
}
