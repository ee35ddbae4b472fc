//! From a parsed value to a type, with Go's rules.

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::Error;
use super::value::Json;

/// Lower case as Go's decoder folds names: ASCII, the Kelvin sign and the long s.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|c| match c {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        c => c.to_ascii_lowercase(),
    })
}

/// The field that a member belongs to: the exact name first, then without regard to case.
fn field_for(name: &str, fields: &'static [&'static str]) -> Option<&'static str> {
    let exact = fields.iter().find(|field| **field == name);
    exact
        .or_else(|| fields.iter().find(|field| folded(field).eq(folded(name))))
        .copied()
}

/// Members by their field, repeated ones joined, unknown ones dropped.
fn joined(
    members: Vec<(String, Json)>,
    fields: &'static [&'static str],
) -> Result<Vec<(String, Json)>, Error> {
    let mut slots: Vec<(&'static str, Json)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let Some(field) = field_for(&name, fields) else {
            continue;
        };
        if let Some(slot) = slots.iter_mut().find(|slot| slot.0 == field) {
            let earlier = std::mem::replace(&mut slot.1, Json::Null);
            slot.1 = earlier.then(value).map_err(|error| error.within(field))?;
        } else {
            slots.push((field, value));
        }
    }
    Ok(slots
        .into_iter()
        .map(|(field, value)| (field.to_owned(), value))
        .collect())
}

struct Members {
    rest: std::vec::IntoIter<(String, Json)>,
    current: Option<(String, Json)>,
}

impl Members {
    fn new(members: Vec<(String, Json)>) -> Self {
        Members {
            rest: members.into_iter(),
            current: None,
        }
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.current = self.rest.next();
        match &self.current {
            Some((name, _)) => {
                let name: StringDeserializer<Error> = name.clone().into_deserializer();
                seed.deserialize(name).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.current.take() {
            Some((name, value)) => seed.deserialize(value).map_err(|error| error.within(name)),
            None => Err(Error::custom("member without a value")),
        }
    }
}

struct Items {
    rest: std::iter::Enumerate<std::vec::IntoIter<Json>>,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        match self.rest.next() {
            Some((index, item)) => seed
                .deserialize(item)
                .map(Some)
                .map_err(|error| error.within(format!("[{index}]"))),
            None => Ok(None),
        }
    }
}

/// A scalar type whose zero value stands for `null`.
macro_rules! scalar {
    ($($method:ident => $visit:ident($zero:expr),)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
                match self {
                    Json::Null => visitor.$visit($zero),
                    other => other.deserialize_any(visitor),
                }
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Json {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Json::Null => visitor.visit_unit(),
            Json::Bool(value) => visitor.visit_bool(value),
            Json::Number(number) => {
                if let Some(value) = number.as_u64() {
                    visitor.visit_u64(value)
                } else if let Some(value) = number.as_i64() {
                    visitor.visit_i64(value)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or_default())
                }
            }
            Json::Text(value) => visitor.visit_string(value),
            Json::Array(items) => visitor.visit_seq(Items {
                rest: items.into_iter().enumerate(),
            }),
            Json::Object(members) => visitor.visit_map(Members::new(members)),
        }
    }

    scalar! {
        deserialize_bool => visit_bool(false),
        deserialize_i8 => visit_i64(0),
        deserialize_i16 => visit_i64(0),
        deserialize_i32 => visit_i64(0),
        deserialize_i64 => visit_i64(0),
        deserialize_u8 => visit_u64(0),
        deserialize_u16 => visit_u64(0),
        deserialize_u32 => visit_u64(0),
        deserialize_u64 => visit_u64(0),
        deserialize_f32 => visit_f64(0.0),
        deserialize_f64 => visit_f64(0.0),
        deserialize_str => visit_str(""),
        deserialize_string => visit_str(""),
        deserialize_seq => visit_seq(Items { rest: Vec::new().into_iter().enumerate() }),
        deserialize_map => visit_map(Members::new(Vec::new())),
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Json::Object(members) => visitor.visit_map(Members::new(joined(members, fields)?)),
            Json::Null => visitor.visit_map(Members::new(Vec::new())),
            // serde would fill a struct from an array by position; Go does not.
            Json::Array(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Json::Null => visitor.visit_none(),
            value => visitor.visit_some(value),
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
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Json::Text(name) => {
                visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer(name))
            }
            Json::Null => visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer("")),
            other => other.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}
