use std::time::Duration;

/// Longest interval between patches that a server can ask for (WIRE-TRC-05).
pub(super) const MAX_INTERVAL: Duration = Duration::from_mins(15);

/// Why an interval header was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntervalIssue {
    /// No integer; worth a warning.
    Unparsable,
    /// Zero, negative, or beyond what Go's durations hold.
    Ignored,
}

/// Reads `X-GitLab-Trace-Update-Interval`: whole seconds, above zero, capped at 15 minutes.
pub(super) fn parse_interval(value: &str) -> Result<Duration, IntervalIssue> {
    let seconds: i64 = value.parse().map_err(|_| IntervalIssue::Unparsable)?;
    // Go multiplies into 64 bits of nanoseconds; what overflows there is not taken.
    let nanos = seconds
        .checked_mul(1_000_000_000)
        .ok_or(IntervalIssue::Ignored)?;
    if nanos <= 0 {
        return Err(IntervalIssue::Ignored);
    }
    Ok(Duration::from_nanos(nanos as u64).min(MAX_INTERVAL))
}

/// Go's words for text that is no whole number.
pub(super) fn not_an_integer(text: &str) -> String {
    format!("strconv.Atoi: parsing {text:?}: invalid syntax")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves WIRE-TRC-05.
    ///
    /// Goal: which header values change the interval, and to what (wire.md 4.4).
    #[test]
    fn interval_values() {
        for (value, seconds) in [
            ("3", Some(3)),
            ("1", Some(1)),
            ("60", Some(60)),
            ("900", Some(900)),
            ("901", Some(900)),
            ("100000", Some(900)),
            ("0", None),
            ("-1", None),
            ("", None),
            ("2.5", None),
            ("1s", None),
            ("1/2", None),
            ("9999999999", None),
        ] {
            assert_eq!(
                parse_interval(value).ok(),
                seconds.map(Duration::from_secs),
                "header {value:?}"
            );
        }
    }
}
