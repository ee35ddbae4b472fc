//! Members whose value is checked beyond its JSON type (wire.md 3.8).

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::field::Field;
use crate::job_payload::JobInput;

/// `run`: a string that holds a JSON array of objects. Null and the empty string are fatal
/// (WIRE-PAY-10 does not hold here; recorded decoder behaviour, wire.md 3.8).
pub(crate) fn run<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Field<String>, D::Error> {
    let Value::String(text) = Value::deserialize(deserializer)? else {
        return Err(D::Error::custom(
            "a string that holds a JSON array was expected",
        ));
    };
    match serde_json::from_str::<Vec<BTreeMap<String, Value>>>(&text) {
        Ok(_) => Ok(Field::Value(text)),
        Err(error) => Err(D::Error::custom(format_args!(
            "the string must hold a JSON array of steps: line {} column {}",
            error.line(),
            error.column()
        ))),
    }
}

/// `inputs`: each with a key and a content of the announced type (WIRE-PAY-12).
pub(crate) fn inputs<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Field<Vec<JobInput>>, D::Error> {
    let inputs = Field::<Vec<JobInput>>::deserialize(deserializer)?;
    for (index, input) in inputs.as_slice().iter().enumerate() {
        check_input(input).map_err(|what| D::Error::custom(format_args!("[{index}]: {what}")))?;
    }
    Ok(inputs)
}

fn check_input(input: &JobInput) -> Result<(), String> {
    if input.key.as_str().is_empty() {
        return Err("input without a key".to_owned());
    }
    let key = input.key.as_str();
    let value = input.value.get();
    let Some(content) = value.content.as_ref() else {
        return Err(format!("input `{key}` has no content"));
    };
    let fits = match value.type_.as_str() {
        "string" => content.is_string(),
        "number" => content.is_number(),
        "boolean" => content.is_boolean(),
        "array" => content.is_array(),
        "struct" => content.is_object(),
        other => return Err(format!("input `{key}` has the unknown type `{other}`")),
    };
    if fits {
        Ok(())
    } else {
        let announced = value.type_.as_str();
        Err(format!("input `{key}` is no {announced} as announced"))
    }
}

/// `executor_opts`: by executor; `platform` is a string, `user` a string or an integer (WIRE-PAY-11).
/// Keys that nobody knows are kept: the job names them and fails (WIRE-PAY-15).
pub(crate) fn executor_opts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Field<BTreeMap<String, Value>>, D::Error> {
    let executors = Field::<BTreeMap<String, Value>>::deserialize(deserializer)?;
    for (executor, options) in executors.as_ref().into_iter().flatten() {
        let known: &[&str] = match executor.as_str() {
            "docker" => &["platform", "user"],
            "kubernetes" => &["user"],
            _ => continue,
        };
        let members = match options {
            Value::Null => continue,
            Value::Object(members) => members,
            _ => {
                return Err(D::Error::custom(format_args!(
                    "`{executor}` must be an object"
                )));
            }
        };
        for (name, value) in members {
            if !known.contains(&name.as_str()) || value.is_null() || value.is_string() {
                continue;
            }
            if name == "user" && value.is_i64() {
                continue;
            }
            let expected = if name == "user" {
                "a string or an integer"
            } else {
                "a string"
            };
            return Err(D::Error::custom(format_args!(
                "`{executor}.{name}` must be {expected}"
            )));
        }
    }
    Ok(executors)
}

/// A member that the runner does not read: any type is taken, one that does not fit is dropped.
pub(crate) fn unread<'de, D, T>(deserializer: D) -> Result<Field<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => Field::Null,
        value => T::deserialize(value).map_or(Field::Absent, Field::Value),
    })
}

/// Seconds: whole ones are written without a fraction, as the server does.
pub(crate) mod seconds {
    use serde::{Serialize, Serializer};

    use crate::field::Field;

    /// Above this a float does not hold every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    pub(crate) fn serialize<S: Serializer>(
        seconds: &Field<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match seconds {
            Field::Value(value) if value.fract() == 0.0 && value.abs() <= EXACT => {
                serializer.serialize_i64(*value as i64)
            }
            other => other.serialize(serializer),
        }
    }
}
