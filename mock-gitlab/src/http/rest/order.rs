//! In which order a list comes (`order_by`, `sort`), and from which time (`updated_after` and so on).

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::json;

use super::ask::Asked;
use crate::world::ApiError;

fn invalid(name: &str) -> ApiError {
    let text = format!("{name} does not have a valid value");
    ApiError::new(400, json!({ "error": text }))
}

/// `order_by`, one of `known`.
pub(super) fn of<'a>(
    asked: &'a Asked,
    known: &[&str],
    default: &'a str,
) -> Result<&'a str, ApiError> {
    match asked.parameters.text("order_by") {
        None => Ok(default),
        Some(name) if known.contains(&name) => Ok(name),
        Some(_) => Err(invalid("order_by")),
    }
}

/// Whether `sort` says so.
pub(super) fn ascending(asked: &Asked, default: bool) -> Result<bool, ApiError> {
    match asked.parameters.text("sort") {
        None => Ok(default),
        Some("asc") => Ok(true),
        Some("desc") => Ok(false),
        Some(_) => Err(invalid("sort")),
    }
}

/// Puts records into an order; equal ones stand by their ids.
pub(super) fn sort<T>(
    records: &mut [&T],
    ascending: bool,
    by: impl Fn(&T, &T) -> Ordering,
    id: impl Fn(&T) -> i64,
) {
    records.sort_by(|one, other| {
        let order = by(one, other).then_with(|| id(one).cmp(&id(other)));
        if ascending { order } else { order.reverse() }
    });
}

/// Whether a time is within `<name>_after` and `<name>_before`.
pub(super) fn within(
    asked: &Asked,
    name: &str,
) -> Result<impl Fn(Timestamp) -> bool + use<>, ApiError> {
    let time = |name: String| match asked.parameters.text(&name) {
        None => Ok(None),
        Some(text) => time(text).map(Some).ok_or_else(|| invalid(&name)),
    };
    let after = time(format!("{name}_after"))?;
    let before = time(format!("{name}_before"))?;
    Ok(move |at| after.is_none_or(|after| at >= after) && before.is_none_or(|before| at <= before))
}

/// A time with a zone, or a day, which begins in UTC.
fn time(text: &str) -> Option<Timestamp> {
    let day = || Some(text.parse::<jiff::civil::Date>().ok()?.to_string());
    text.parse()
        .ok()
        .or_else(|| format!("{}T00:00:00Z", day()?).parse().ok())
}
