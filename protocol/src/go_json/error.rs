//! Why a body could not be decoded, with the place.

use std::fmt;

use serde::de::{Expected, Unexpected};

/// A body that could not be decoded: the member, outermost first, and what is wrong there.
///
/// The message never quotes a value of the body: any of them may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    path: Vec<String>,
    message: String,
}

impl Error {
    /// The same error seen from one level further out.
    pub(super) fn within(mut self, step: impl Into<String>) -> Error {
        self.path.insert(0, step.into());
        self
    }

    /// The member at fault, such as `git_info.depth` or `steps[0].script`; empty for the whole body.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        path
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}`: {}", self.path(), self.message)
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error {
            path: Vec::new(),
            message: message.to_string(),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Error::custom(format_args!(
            "invalid type: {}, expected {expected}",
            kind(found)
        ))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Error::custom(format_args!(
            "invalid value of type {}, expected {expected}",
            kind(found)
        ))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Error::custom(format_args!("is none of {}", expected.join(", ")))
    }
}

/// What was found, without its value.
fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "number",
        Unexpected::Char(_) | Unexpected::Str(_) => "string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "array",
        Unexpected::Map => "object",
        _ => "another type",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::go_json::from_slice;

    /// Goal: whatever stands where something else belongs, the message names the place and the type, and
    /// not the value.
    #[test]
    fn no_value_is_quoted() {
        type Target = BTreeMap<String, u8>;
        for (body, expected) in [
            (
                r#"{"a":"s3cr3t"}"#,
                "`a`: invalid type: string, expected u8",
            ),
            (r#"{"a":[1]}"#, "`a`: invalid type: array, expected u8"),
            (r#"{"a":{"b":1}}"#, "`a`: invalid type: object, expected u8"),
            (r#"{"a":true}"#, "`a`: invalid type: boolean, expected u8"),
            (r#"{"a":1.5}"#, "`a`: invalid type: number, expected u8"),
        ] {
            let error = from_slice::<Target>(body.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let error = from_slice::<Target>(br#"{"a":987654}"#).unwrap_err();
        assert!(!error.to_string().contains("987654"), "{error}");
        assert!(error.to_string().starts_with("`a`: "), "{error}");
    }
}
