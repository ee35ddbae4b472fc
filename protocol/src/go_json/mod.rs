//! Decoding JSON as the official runner does (wire.md 1.7 and 3.8).
//!
//! Go's decoder differs from serde's defaults in ways that can be seen on the wire:
//!
//! - only the first value of a body is read, trailing bytes are ignored;
//! - `null` leaves the zero value, whatever the type (WIRE-PAY-10);
//! - of a repeated member the last one wins, objects are merged, and a `null` does not undo a value;
//! - member names match without regard to case if there is no exact match, unknown ones are ignored;
//! - bytes that are no UTF-8 and lone surrogates become U+FFFD.
//!
//! A wrong type is fatal in both, and here also `3600.0` for an integer and an array for an object.

mod decode;
mod error;
mod plain;
mod text;
mod value;

use serde::de::{DeserializeOwned, Error as _};

pub use error::Error;
use value::Json;

/// Decodes the first JSON value of `body`; trailing bytes are ignored.
///
/// # Errors
///
/// When there is no JSON value, or a member has the wrong type; the error names the member.
pub fn from_slice<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    match plain::from_slice(body) {
        Some(value) => Ok(value),
        None => from_slice_as_go(body),
    }
}

/// Decodes a body that leaves nothing to interpret, as encoders write them; `None` for any other, which
/// may still be valid. Where this gives a value, [`from_slice`] gives the same.
pub fn from_plain_slice<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    plain::from_slice(body)
}

/// The long way, which holds all of Go's rules.
fn from_slice_as_go<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let text = text::readable(body);
    let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Json>();
    match values.next() {
        Some(value) => decode(value.map_err(Error::custom)?),
        None => Err(Error::custom(
            "the body is empty, a JSON value was expected",
        )),
    }
}

/// Decodes a parsed value.
///
/// # Errors
///
/// When a member has the wrong type; the error names the member.
pub fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Error> {
    decode(Json::from(value))
}

fn decode<T: DeserializeOwned>(value: Json) -> Result<T, Error> {
    T::deserialize(value)
}

#[cfg(test)]
mod tests;
