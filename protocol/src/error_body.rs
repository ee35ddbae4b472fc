//! Error bodies of the server (wire.md 1.8, WIRE-CON-19).

use serde_json::{Value, json};

use crate::object::object;

object! {
    /// Body of an error answer: one of the two members.
    ErrorBody {
        /// A text, or an object of lists of texts, or `{"error": …}` (application rate limit).
        message: Value,
        /// A text: missing parameters and log patches.
        error: String,
    }
}

/// `{"message":"403 Forbidden"}` and its like, with an optional reason: `403 Forbidden - <reason>`.
pub fn message(status: u16, phrase: &str, reason: Option<&str>) -> Value {
    match reason {
        Some(reason) => json!({ "message": format!("{status} {phrase} - {reason}") }),
        None => json!({ "message": format!("{status} {phrase}") }),
    }
}

/// 400 for a missing parameter: `{"error":"token is missing"}`.
pub fn missing_parameter(name: &str) -> Value {
    json!({ "error": format!("{name} is missing") })
}

/// 400 of a model validation: `{"message":{"<attribute>":["<text>"]}}`.
pub fn validation(attribute: &str, text: &str) -> Value {
    json!({ "message": { attribute: [text] } })
}

/// 404 that names what was not found: `{"message":"404 Runner manager not found Not Found"}`.
pub fn not_found(resource: Option<&str>) -> Value {
    match resource {
        Some(resource) => json!({ "message": format!("404 {resource} Not Found") }),
        None => json!({ "message": "404 Not Found" }),
    }
}

/// What the runner shows of an error answer: `message` as text, or an object of text lists rendered
/// `key: a; b` joined by `, `; other shapes give nothing (wire.md 1.7).
pub fn rendered_message(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    match value.get("message")? {
        Value::String(text) => Some(text.clone()),
        Value::Object(map) => {
            let mut parts = Vec::new();
            for (key, texts) in map {
                let texts: Option<Vec<&str>> =
                    texts.as_array()?.iter().map(Value::as_str).collect();
                parts.push(format!("{key}: {}", texts?.join("; ")));
            }
            Some(parts.join(", "))
        }
        _ => None,
    }
}
