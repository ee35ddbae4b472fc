//! Points in time on the wire (wire.md 3.3, 3.5, 7.2).

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time as GitLab writes it, RFC 3339 in UTC with milliseconds: `2027-01-31T10:00:00.000Z`.
///
/// Keeps the text that it was decoded from, so that it encodes the same way again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireTime {
    at: Timestamp,
    text: String,
}

impl WireTime {
    /// The point in time.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// GitLab's form of a point in time: UTC with milliseconds (wire.md 3.11).
pub fn text(at: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    PRINTER.timestamp_to_string(&at)
}

impl From<Timestamp> for WireTime {
    fn from(at: Timestamp) -> Self {
        WireTime { at, text: text(at) }
    }
}

impl fmt::Display for WireTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for WireTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for WireTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(at) => Ok(WireTime { at, text }),
            Err(_) => Err(serde::de::Error::custom(format_args!(
                "`{text}` is not a point in time such as 2027-01-31T10:00:00.000Z"
            ))),
        }
    }
}
