//! Decoding JSON as the official runner does (wire.md 1.7 and 3.8).
//!
//! Go's decoder differs from serde's defaults in four ways that can be seen on the wire: only the first
//! value of a body is read, a repeated member counts as often as it comes (the last one wins), member
//! names match case-insensitively if there is no exact match, and unknown members are ignored. A wrong
//! type is fatal in both.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

/// Why a body could not be decoded.
pub type Error = serde_json::Error;

/// Decodes the first JSON value of `body`; trailing bytes are ignored.
pub fn from_slice<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let value = match values.next() {
        Some(value) => value?,
        None => return serde_json::from_slice(body),
    };
    from_value(value)
}

/// Decodes a parsed value.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    // Go leaves the zero value when a whole document is `null`.
    let value = if value.is_null() {
        Value::Object(Map::new())
    } else {
        value
    };
    T::deserialize(Folding(value))
}

/// A value whose struct members are matched case-insensitively.
struct Folding(Value);

impl IntoDeserializer<'_, Error> for Folding {
    type Deserializer = Folding;

    fn into_deserializer(self) -> Folding {
        self
    }
}

/// Renames members that match one of `fields` only when case is ignored.
fn fold(map: Map<String, Value>, fields: &'static [&'static str]) -> Map<String, Value> {
    if map.keys().all(|key| fields.contains(&key.as_str())) {
        return map;
    }
    let mut folded = Map::with_capacity(map.len());
    for (key, value) in map {
        let name = if fields.contains(&key.as_str()) {
            key
        } else if let Some(field) = fields.iter().find(|field| field.eq_ignore_ascii_case(&key)) {
            (*field).to_owned()
        } else {
            key
        };
        folded.insert(name, value);
    }
    folded
}

fn members(map: Map<String, Value>) -> impl Iterator<Item = (String, Folding)> {
    map.into_iter().map(|(key, value)| (key, Folding(value)))
}

impl<'de> Deserializer<'de> for Folding {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => {
                let mut access = SeqDeserializer::new(items.into_iter().map(Folding));
                let value = visitor.visit_seq(&mut access)?;
                access.end()?;
                Ok(value)
            }
            Value::Object(map) => visitor.visit_map(MapDeserializer::new(members(map))),
            scalar => scalar.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(map) => {
                visitor.visit_map(MapDeserializer::new(members(fold(map, fields))))
            }
            other => other.deserialize_struct(name, fields, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}
