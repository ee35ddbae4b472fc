//! Rules of labels (runner.md 3.1, RUN-CFG-14).

use std::collections::BTreeMap;

const KEY_RULE: &str = "^[a-zA-Z0-9_][a-zA-Z0-9._-]{2,64}$";
const VALUE_RULE: &str = "^[a-zA-Z0-9._-]{1,256}$";
const MOST: usize = 32;

fn is_key(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_')
        && (2..=64).contains(&(key.len() - 1))
        && bytes.all(is_part)
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.bytes().all(is_part)
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

/// Checks labels; `whose` is `global` or `runner`.
pub(super) fn check(labels: &BTreeMap<String, String>, whose: &str) -> Result<(), String> {
    for (key, value) in labels {
        if !is_key(key) {
            return Err(format!(
                "validating {whose} labels: invalid label key, doesn't match \"{KEY_RULE}\": {key}"
            ));
        }
        if !is_value(value) {
            return Err(format!(
                "validating {whose} labels: invalid label value, doesn't match \"{VALUE_RULE}\": {value}"
            ));
        }
    }
    Ok(())
}

/// Global labels and those of an entry, which win; at most 32.
pub(super) fn merge(
    global: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut merged = global.clone();
    merged.extend(own.clone());
    if merged.len() > MOST {
        return Err(format!(
            "too many labels: {} after merging global and runner labels, at most {MOST} are allowed",
            merged.len()
        ));
    }
    Ok(merged)
}
