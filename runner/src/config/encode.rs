//! TOML out, in the form of the official runner (runner.md 2.3, RUN-CLI-26).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml_edit::Value as Toml;

use super::duration::format_duration;
use super::schema::{Kind, Unset};
use super::section::{Free, Section, Value};

/// A time that is not known.
pub(super) const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// The text of a file.
pub(super) fn encode(root: &Section) -> String {
    let mut out = String::new();
    keys(root, 0, &mut out);
    tables(root, "", 0, &mut out);
    out
}

fn keys(section: &Section, depth: usize, out: &mut String) {
    for key in section.schema.keys {
        if matches!(key.kind, Kind::Table(_) | Kind::Tables(_) | Kind::Map) {
            continue;
        }
        let form = match section.values.get(key.name) {
            Some(value) if key.unset != Unset::Omit || !is_empty(key.kind, value) => form(value),
            _ if key.unset == Unset::Zero => zero(key.kind).to_owned(),
            _ => continue,
        };
        let _ = writeln!(out, "{:1$}{name} = {form}", "", depth * 2, name = key.name);
    }
    for (name, value) in &section.free {
        if let Free::Value(form) = value {
            let _ = writeln!(
                out,
                "{:1$}{name} = {form}",
                "",
                depth * 2,
                name = bare(name)
            );
        }
    }
}

fn tables(section: &Section, path: &str, depth: usize, out: &mut String) {
    for key in section.schema.keys {
        let full = join(path, key.name);
        match section.values.get(key.name) {
            Some(Value::Table(table)) => {
                if table.schema.omit_empty && table.values.is_empty() && table.free.is_empty() {
                    continue;
                }
                head(&full, false, depth, out);
                keys(table, depth + 1, out);
                tables(table, &full, depth + 1, out);
            }
            Some(Value::Tables(list)) => {
                for table in list {
                    head(&full, true, depth, out);
                    keys(table, depth + 1, out);
                    tables(table, &full, depth + 1, out);
                }
            }
            Some(Value::Map(map)) => {
                // Of empty maps only this one stays (recorded in save-forms).
                if map.is_empty() && key.name != "feature_flags" {
                    continue;
                }
                head(&full, false, depth, out);
                for (name, form) in map {
                    let indent = (depth + 1) * 2;
                    let _ = writeln!(out, "{:indent$}{name} = {form}", "", name = bare(name));
                }
            }
            _ if key.name == "dns_config"
                || (key.name == "volumes" && path == "runners.kubernetes") =>
            {
                if let Kind::Table(_) = key.kind {
                    head(&full, false, depth, out);
                }
            }
            _ => {}
        }
    }
    free_tables(&section.free, path, depth, out);
}

fn free_tables(free: &BTreeMap<String, Free>, path: &str, depth: usize, out: &mut String) {
    let body = |table: &BTreeMap<String, Free>, full: &str, out: &mut String| {
        for (name, value) in table {
            if let Free::Value(form) = value {
                let indent = (depth + 1) * 2;
                let _ = writeln!(out, "{:indent$}{name} = {form}", "", name = bare(name));
            }
        }
        free_tables(table, full, depth + 1, out);
    };
    for (name, value) in free {
        let full = join(path, &bare(name));
        match value {
            Free::Value(_) => {}
            Free::Table(table) => {
                head(&full, false, depth, out);
                body(table, &full, out);
            }
            Free::Tables(list) => {
                for table in list {
                    head(&full, true, depth, out);
                    body(table, &full, out);
                }
            }
        }
    }
}

/// A table's head line. A blank line stands before top-level tables and before lists of tables.
fn head(path: &str, list: bool, depth: usize, out: &mut String) {
    if list || depth == 0 {
        out.push('\n');
    }
    let indent = depth * 2;
    let _ = if list {
        writeln!(out, "{:indent$}[[{path}]]", "")
    } else {
        writeln!(out, "{:indent$}[{path}]", "")
    };
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn is_empty(kind: Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Tristate, _) => false,
        (_, Value::Text(text)) => text.is_empty(),
        (_, Value::Integer(number) | Value::Duration(number)) => *number == 0,
        (_, Value::Float(number)) => *number == 0.0,
        (_, Value::Boolean(on)) => !on,
        (_, Value::List(items)) => items.is_empty(),
        _ => false,
    }
}

fn zero(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "0",
        Kind::Float => "0.0",
        Kind::Boolean | Kind::Tristate => "false",
        Kind::Duration => "\"0s\"",
        Kind::Time => NO_TIME,
        Kind::List | Kind::TextOrList => "[]",
        _ => "\"\"",
    }
}

fn form(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => float(*number),
        Value::Boolean(on) => on.to_string(),
        Value::Duration(nanos) => quoted(&format_duration(*nanos)),
        Value::Time(time) => without_zeros(time),
        Value::Raw(text) => text.clone(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(_) | Value::Table(_) | Value::Tables(_) => String::new(),
    }
}

fn float(number: f64) -> String {
    if number.is_finite() && number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number:.1}")
    } else {
        number.to_string().to_lowercase()
    }
}

/// A one-line basic string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' || c == '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A key: bare if it can be.
fn bare(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if is_bare {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// The form of a free value: lists on one line, tables inline.
pub(super) fn value_form(value: &Toml) -> String {
    match value {
        Toml::String(text) => quoted(text.value()),
        Toml::Integer(number) => number.value().to_string(),
        Toml::Float(number) => float(*number.value()),
        Toml::Boolean(on) => on.value().to_string(),
        Toml::Datetime(time) => time.value().to_string(),
        Toml::Array(items) => {
            let items: Vec<String> = items.iter().map(value_form).collect();
            format!("[{}]", items.join(", "))
        }
        Toml::InlineTable(table) => {
            let mut members: Vec<(&str, String)> = table
                .iter()
                .map(|(name, value)| (name, value_form(value)))
                .collect();
            members.sort_unstable();
            let members: Vec<String> = members
                .into_iter()
                .map(|(name, form)| format!("{} = {form}", bare(name)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

/// A time without the zeros at the end of its fraction, which Go does not write: `10:00:00.000Z`, as
/// GitLab answers, becomes `10:00:00Z` (recording `reset-token`).
fn without_zeros(time: &str) -> String {
    let Some((head, tail)) = time.split_once('.') else {
        return time.to_owned();
    };
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, zone) = tail.split_at(digits);
    match fraction.trim_end_matches('0') {
        "" => format!("{head}{zone}"),
        fraction => format!("{head}.{fraction}{zone}"),
    }
}
