//! A JSON member that may be absent, `null` or set.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A JSON member with three states.
///
/// GitLab tells a missing member from a `null` one (`"image":null`), the runner treats both as the
/// zero value (wire.md 3.8, WIRE-PAY-10). Keeping the difference lets a decoded body encode to the
/// same JSON again. Use with `#[serde(default, skip_serializing_if = "Field::is_absent")]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field<T> {
    /// The member is not there.
    #[default]
    Absent,
    /// The member is there and `null`.
    Null,
    /// The member has a value.
    Value(T),
}

impl<T> Field<T> {
    /// Whether the member is not there at all.
    pub fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }

    /// The value, if there is one.
    pub fn as_ref(&self) -> Option<&T> {
        match self {
            Field::Value(value) => Some(value),
            Field::Absent | Field::Null => None,
        }
    }

    /// The value for change, if there is one.
    pub fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Field::Value(value) => Some(value),
            Field::Absent | Field::Null => None,
        }
    }

    /// The value by move, if there is one.
    pub fn into_option(self) -> Option<T> {
        match self {
            Field::Value(value) => Some(value),
            Field::Absent | Field::Null => None,
        }
    }
}

impl<T: Clone + Default> Field<T> {
    /// The value, or the zero value that the runner assumes for a missing or null member.
    pub fn get(&self) -> T {
        self.as_ref().cloned().unwrap_or_default()
    }
}

impl Field<String> {
    /// The text, or the empty text for a missing or null member.
    pub fn as_str(&self) -> &str {
        self.as_ref().map_or("", String::as_str)
    }
}

impl<T> Field<Vec<T>> {
    /// The items, or none for a missing or null member.
    pub fn as_slice(&self) -> &[T] {
        self.as_ref().map_or(&[], Vec::as_slice)
    }
}

impl<T> From<T> for Field<T> {
    fn from(value: T) -> Self {
        Field::Value(value)
    }
}

impl From<&str> for Field<String> {
    fn from(value: &str) -> Self {
        Field::Value(value.to_owned())
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Field::Value(value) => value.serialize(serializer),
            Field::Absent | Field::Null => serializer.serialize_none(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::<T>::deserialize(deserializer)? {
            Some(value) => Field::Value(value),
            None => Field::Null,
        })
    }
}
