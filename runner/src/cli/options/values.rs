//! Texts become values.

use std::collections::BTreeMap;

use super::{Holds, Pairs};
use crate::config::{Value, parse_duration};

/// A text that is no value of its kind, in the words of Go's library.
fn syntax(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {text:?}: invalid syntax")
}

/// Go's Booleans.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(syntax("ParseBool", text)),
    }
}

fn integer(text: &str) -> Result<i64, String> {
    text.parse().map_err(|error: std::num::ParseIntError| {
        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
        match error.kind() {
            PosOverflow | NegOverflow => {
                format!("strconv.ParseInt: parsing {text:?}: value out of range")
            }
            _ => syntax("ParseInt", text),
        }
    })
}

fn pair(of: Pairs, text: &str) -> Result<(String, String), String> {
    let (key, value) = match text.split_once(':') {
        Some((key, value)) => (key, Some(value)),
        None => (text, None),
    };
    let form = match of {
        Pairs::Text => crate::config::quoted(value.unwrap_or_default()),
        Pairs::Boolean => boolean(value.unwrap_or("true"))?.to_string(),
        Pairs::Integer => integer(value.unwrap_or_default())?.to_string(),
        Pairs::List => format!("[{}]", crate::config::quoted(value.unwrap_or_default())),
    };
    Ok((key.to_owned(), form))
}

/// Adds one use of an option to what was there.
pub(super) fn add(holds: Holds, before: Option<Value>, text: &str) -> Result<Value, String> {
    Ok(match holds {
        Holds::Switch { .. } | Holds::ThreeState => Value::Boolean(boolean(text)?),
        Holds::Text => Value::Text(text.to_owned()),
        Holds::Integer => Value::Integer(integer(text)?),
        Holds::Float => Value::Float(text.parse().map_err(|_| syntax("ParseFloat", text))?),
        Holds::Duration => Value::Duration(
            parse_duration(text).ok_or_else(|| format!("time: invalid duration {text:?}"))?,
        ),
        Holds::List => {
            let mut items = match before {
                Some(Value::List(items)) => items,
                _ => Vec::new(),
            };
            items.push(text.to_owned());
            Value::List(items)
        }
        Holds::Commas => Value::List(text.split(',').map(str::to_owned).collect()),
        Holds::Map(of) => {
            let mut map = match before {
                Some(Value::Map(map)) => map,
                _ => BTreeMap::new(),
            };
            let (key, form) = pair(of, text)?;
            map.insert(key, form);
            Value::Map(map)
        }
        Holds::FileOnly => {
            return Err(
                "it holds tables; give it in the configuration or in a template".to_owned(),
            );
        }
    })
}
