use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use serde_json::Value as Json;

/// What an expression gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The value itself.
    pub kind: Kind,
    /// Whether it is sensitive, or was made from something that is.
    pub sensitive: bool,
}

/// A value without its mark.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// No value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A double.
    Number(f64),
    /// A text.
    String(String),
    /// Values in order.
    Array(Vec<Value>),
    /// Members in the order in which they were written. A name occurs once.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// A value without a mark.
    pub fn plain(kind: Kind) -> Self {
        Value {
            kind,
            sensitive: false,
        }
    }

    /// The value of a JSON text.
    pub fn from_json(json: &Json) -> Self {
        Value::plain(match json {
            Json::Null => Kind::Null,
            Json::Bool(value) => Kind::Bool(*value),
            Json::Number(number) => Kind::Number(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Kind::String(text.clone()),
            Json::Array(items) => Kind::Array(items.iter().map(Value::from_json).collect()),
            Json::Object(members) => Kind::Object(
                members
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from_json(value)))
                    .collect(),
            ),
        })
    }

    /// The same value with a mark if `sensitive`; a mark that it has stays.
    #[must_use]
    pub fn marked(self, sensitive: bool) -> Self {
        Value {
            sensitive: self.sensitive || sensitive,
            ..self
        }
    }

    /// Whether the value or anything in it is sensitive.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
            || match &self.kind {
                Kind::Array(items) => items.iter().any(Value::is_sensitive),
                Kind::Object(members) => members.iter().any(|(_, value)| value.is_sensitive()),
                Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => false,
            }
    }
}

impl Kind {
    /// Name of the type, for errors.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool(_) => "bool",
            Kind::Number(_) => "number",
            Kind::String(_) => "string",
            Kind::Array(_) => "array",
            Kind::Object(_) => "object",
        }
    }

    /// Truth as `&&`, `||`, `!` and `bool` see it: empty, zero and null are false.
    pub fn is_true(&self) -> bool {
        match self {
            Kind::Null => false,
            Kind::Bool(value) => *value,
            Kind::Number(number) => *number != 0.0,
            Kind::String(text) => !text.is_empty(),
            Kind::Array(items) => !items.is_empty(),
            Kind::Object(members) => !members.is_empty(),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Kind::Null => 0,
            Kind::Bool(_) => 1,
            Kind::Number(_) => 2,
            Kind::String(_) => 3,
            Kind::Array(_) => 4,
            Kind::Object(_) => 5,
        }
    }

    /// Order of two values: of one type by value, of two types by type. Objects by length, then names,
    /// then values, whatever the order of their members.
    pub fn order(&self, other: &Kind) -> Ordering {
        match (self, other) {
            (Kind::Bool(a), Kind::Bool(b)) => a.cmp(b),
            (Kind::Number(a), Kind::Number(b)) => {
                a.partial_cmp(b).unwrap_or_else(|| a.total_cmp(b))
            }
            (Kind::String(a), Kind::String(b)) => a.cmp(b),
            (Kind::Array(a), Kind::Array(b)) => {
                let pairs = a.iter().zip(b);
                pairs
                    .map(|(a, b)| a.kind.order(&b.kind))
                    .find(|order| order.is_ne())
                    .unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            (Kind::Object(a), Kind::Object(b)) => {
                let (a, b) = (sorted(a), sorted(b));
                let names = || a.iter().map(|member| member.0).cmp(b.iter().map(|m| m.0));
                let values = || {
                    let pairs = a.iter().zip(&b);
                    pairs
                        .map(|((_, a), (_, b))| a.kind.order(&b.kind))
                        .find(|order| order.is_ne())
                        .unwrap_or(Ordering::Equal)
                };
                a.len().cmp(&b.len()).then_with(names).then_with(values)
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }

    /// The value within an array or object: as JSON.
    fn write_json(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Null => out.write_str("null"),
            Kind::String(text) => write!(out, "{}", Json::String(text.clone())),
            Kind::Bool(_) | Kind::Number(_) | Kind::Array(_) | Kind::Object(_) => {
                fmt::Display::fmt(self, out)
            }
        }
    }
}

fn sorted(members: &[(String, Value)]) -> Vec<(&str, &Value)> {
    let mut sorted: Vec<_> = members
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    sorted.sort_by_key(|member| member.0);
    sorted
}

/// The text that stands in place of an expression, and what `str` gives: a text as it is, `<null>`,
/// numbers without an exponent, arrays and objects as JSON.
impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Null => out.write_str("<null>"),
            Kind::Bool(value) => write!(out, "{value}"),
            Kind::Number(number) => write!(out, "{number}"),
            Kind::String(text) => out.write_str(text),
            Kind::Array(items) => {
                out.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.write_char(',')?;
                    }
                    item.kind.write_json(out)?;
                }
                out.write_char(']')
            }
            Kind::Object(members) => {
                out.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.write_char(',')?;
                    }
                    write!(out, "{}:", Json::String(name.clone()))?;
                    value.kind.write_json(out)?;
                }
                out.write_char('}')
            }
        }
    }
}
