use std::fmt;
use std::time::Duration;

use tracing::field::DebugValue;

/// Marks, in the text that tracing hands over, a value that has another form in JSON.
pub(super) const DURATION_MARK: &str = "\u{1}duration ";
/// Like [`DURATION_MARK`], for a signal: its number, a blank, its name.
pub(super) const SIGNAL_MARK: &str = "\u{1}signal ";

/// A duration as a field: `3s` in the formats runner and text, nanoseconds in JSON.
///
/// ```
/// tracing::info!("update-interval" = runner::logging::duration(std::time::Duration::from_secs(3)), "…");
/// ```
pub fn duration(duration: Duration) -> DebugValue<DurationField> {
    tracing::field::debug(DurationField(duration))
}

/// A signal as a field: its name (`terminated`) in the formats runner and text, its number in JSON.
pub fn signal(number: i32, name: &'static str) -> DebugValue<SignalField> {
    tracing::field::debug(SignalField { number, name })
}

/// See [`duration`].
pub struct DurationField(Duration);

impl fmt::Debug for DurationField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DURATION_MARK}{}", self.0.as_nanos())
    }
}

/// See [`signal`].
pub struct SignalField {
    number: i32,
    name: &'static str,
}

impl fmt::Debug for SignalField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SIGNAL_MARK}{} {}", self.number, self.name)
    }
}

/// A duration as Go prints it: `1h0m0s`, `1.5s`, `20ms`, `0s`.
pub fn go_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    for (unit, suffix) in [(1_000, "ns"), (1_000_000, "µs"), (1_000_000_000, "ms")] {
        if nanos < unit {
            return format!(
                "{}{suffix}",
                decimal(nanos * 1000 / unit, nanos * 1000 % unit, unit)
            );
        }
    }
    let second = 1_000_000_000;
    let seconds = nanos / second;
    let rest = decimal(seconds % 60, nanos % second, second);
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// `whole` and the fraction `part / of`, without trailing zeros.
fn decimal(whole: u128, part: u128, of: u128) -> String {
    if part == 0 {
        return whole.to_string();
    }
    let digits = of.ilog10() as usize;
    let fraction = format!("{part:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (20_000_000, "20ms"),
            (1_500_000_000, "1.5s"),
            (30_000_000_000, "30s"),
            (900_000_000_000, "15m0s"),
            (3_600_000_000_000, "1h0m0s"),
            (3_661_000_000_001, "1h1m1.000000001s"),
        ] {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), text);
        }
    }
}
