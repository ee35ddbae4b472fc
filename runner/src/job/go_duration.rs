//! Durations as Go writes and reads them.

use std::time::Duration;

/// `1h0m0s`, `5s`, `1.5s`, `300ms`.
pub fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < 1_000_000_000 {
        let (unit, size) = match nanos {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{}{unit}", decimal(nanos, size));
    }
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = decimal(
        nanos - u128::from(seconds / 60 * 60) * 1_000_000_000,
        1_000_000_000,
    );
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// `value / size` without trailing zeros.
fn decimal(value: u128, size: u128) -> String {
    let (whole, fraction) = (value / size, value % size);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = size.ilog10() as usize;
    let text = format!("{fraction:0digits$}");
    format!("{whole}.{}", text.trim_end_matches('0'))
}

/// Seconds of a duration, which may be negative. `None` if the text is no Go duration.
pub fn parse(text: &str) -> Option<Signed> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(Signed {
            negative: false,
            amount: Duration::ZERO,
        });
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let whole_len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, tail) = rest.split_at(whole_len);
        let (fraction, tail) = match tail.strip_prefix('.') {
            Some(tail) => {
                let len = tail.bytes().take_while(u8::is_ascii_digit).count();
                tail.split_at(len)
            }
            None => ("", tail),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_len = tail
            .bytes()
            .take_while(|byte| !byte.is_ascii_digit() && *byte != b'.')
            .count();
        let (unit, tail) = tail.split_at(unit_len);
        let size: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let whole: u128 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        nanos = nanos.checked_add(whole.checked_mul(size)?)?;
        let mut scale = size;
        for digit in fraction.bytes() {
            scale /= 10;
            nanos += u128::from(digit - b'0') * scale;
        }
        rest = tail;
    }
    // Go keeps durations in 63 bits of nanoseconds.
    let nanos = u64::try_from(nanos)
        .ok()
        .filter(|&n| i64::try_from(n).is_ok())?;
    Some(Signed {
        negative: negative && nanos > 0,
        amount: Duration::from_nanos(nanos),
    })
}

/// A duration with a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Whether it is below zero.
    pub negative: bool,
    /// Its absolute value.
    pub amount: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms that Go prints; `1h0m0s` and `5s` are in the recordings `afters` and `job-timeout`.
    #[test]
    fn prints_like_go() {
        let cases = [
            (0, "0s"),
            (3_600_000_000_000, "1h0m0s"),
            (7_200_000_000_000, "2h0m0s"),
            (5_000_000_000, "5s"),
            (1_500_000_000, "1.5s"),
            (65_000_000_000, "1m5s"),
            (90_000_000_000, "1m30s"),
            (1_000_000, "1ms"),
            (1_500, "1.5µs"),
        ];
        for (nanos, text) in cases {
            assert_eq!(format(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn reads_like_go() {
        let seconds = |text| parse(text).map(|d| (d.negative, d.amount.as_secs_f64()));
        assert_eq!(seconds("1h30m"), Some((false, 5400.0)));
        assert_eq!(seconds("3s"), Some((false, 3.0)));
        assert_eq!(seconds("1.5s"), Some((false, 1.5)));
        assert_eq!(seconds("-5m"), Some((true, 300.0)));
        assert_eq!(seconds("0"), Some((false, 0.0)));
        for text in ["", " 3s", "3s ", "3", "x", "1h 3m", "s", "-"] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }
}
