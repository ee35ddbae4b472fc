use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use protocol::header;

use crate::random::Random;

/// Attempts of one call, the first included (WIRE-RTY-01).
pub const MAX_ATTEMPTS: u32 = 5;
/// First pause of the backoff.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause of the backoff; those named by headers have no limit.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What to do after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryAdvice {
    /// The answer stands.
    Stop,
    /// Wait, then send the same request again.
    Wait(Duration),
}

/// Whether `status` is tried again by itself (WIRE-RTY-01, WIRE-RTY-02).
pub(super) fn is_retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504 | 512..)
}

/// What to do after attempt number `attempt` (from 1) was answered with `status` and `headers`
/// (wire.md 1.5).
pub fn advise(
    attempt: u32,
    status: StatusCode,
    headers: &HeaderMap,
    now: Timestamp,
    random: &Random,
) -> RetryAdvice {
    if attempt >= MAX_ATTEMPTS || !is_retryable(status) {
        return RetryAdvice::Stop;
    }
    let pause = reset_time(headers, now)
        .or_else(|| retry_after(headers))
        .unwrap_or_else(|| backoff(attempt, random));
    RetryAdvice::Wait(pause)
}

/// `RateLimit-ResetTime`: an RFC 1123 date, if it lies ahead.
fn reset_time(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, header::RATELIMIT_RESETTIME)?;
    match jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value) {
        Ok(until) => Duration::try_from(until.duration_since(now))
            .ok()
            .filter(|pause| !pause.is_zero()),
        Err(error) => {
            tracing::warn!(
                parent: None,
                header = "RateLimit-ResetTime",
                "headerValue" = value,
                error = format!(
                    "parsing time {value:?} as \"Mon, 02 Jan 2006 15:04:05 MST\": {error}"
                ),
                "Couldn't parse rate limit header"
            );
            None
        }
    }
}

/// `Retry-After`: whole seconds above zero. A date is not taken.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, header::RETRY_AFTER)?;
    let Ok(seconds) = value.parse::<i64>() else {
        // No runner on these records, as on those of waits.
        tracing::warn!(
            parent: None,
            header = "Retry-After",
            "headerValue" = value,
            error = super::interval::not_an_integer(value),
            "Couldn't parse retry after header"
        );
        return None;
    };
    u64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}

/// 100 ms doubling, drawn between 100 ms and that (WIRE-RTY-04).
fn backoff(attempt: u32, random: &Random) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let top = (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE);
    random.between(FIRST_PAUSE, top)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-25T02:00:00Z";

    fn advice(attempt: u32, status: u16, headers: &[(&'static str, &str)]) -> RetryAdvice {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        advise(
            attempt,
            StatusCode::from_u16(status).unwrap(),
            &map,
            NOW.parse().unwrap(),
            &Random::from_seed(1),
        )
    }

    /// Proves WIRE-RTY-01, WIRE-RTY-02.
    ///
    /// Goal: every status code is either in the list of wire.md 1.5 or stands as it is.
    #[test]
    fn which_statuses_are_tried_again() {
        let expected = |status: u16| match status {
            408 | 429 | 500 | 502 | 503 | 504 => true,
            501 | 505..=511 => false,
            status => status >= 512,
        };
        for status in 100..1000 {
            let again = advice(1, status, &[]) != RetryAdvice::Stop;
            assert_eq!(again, expected(status), "status {status}");
            assert_eq!(advice(5, status, &[]), RetryAdvice::Stop, "status {status}");
        }
    }

    /// Proves WIRE-RTY-03, WIRE-RTY-09.
    ///
    /// Goal: which header names the pause, and which values are passed over.
    #[test]
    fn pauses_named_by_headers() {
        const RESET: &str = "ratelimit-resettime";
        const AFTER: &str = "retry-after";
        const IN_5_S: &str = "Wed, 25 Nov 2026 02:00:05 GMT";
        const PAST: &str = "Wed, 25 Nov 2026 01:59:59 GMT";
        const NOW_DATE: &str = "Wed, 25 Nov 2026 02:00:00 GMT";
        let wait = |ms| RetryAdvice::Wait(Duration::from_millis(ms));
        for (headers, expected) in [
            (vec![(RESET, IN_5_S)], wait(5000)),
            (vec![(RESET, IN_5_S), (AFTER, "2")], wait(5000)),
            (vec![(RESET, PAST), (AFTER, "2")], wait(2000)),
            (vec![(RESET, NOW_DATE), (AFTER, "2")], wait(2000)),
            (vec![(RESET, "tomorrow"), (AFTER, "2")], wait(2000)),
            (vec![(RESET, PAST)], wait(100)),
            (vec![(AFTER, "100000")], wait(100_000_000)),
            (vec![(AFTER, "0")], wait(100)),
            (vec![(AFTER, "-3")], wait(100)),
            (vec![(AFTER, "1.5")], wait(100)),
            (vec![(AFTER, IN_5_S)], wait(100)),
            (vec![], wait(100)),
        ] {
            assert_eq!(advice(1, 429, &headers), expected, "{headers:?}");
            assert_eq!(advice(5, 429, &headers), RetryAdvice::Stop, "{headers:?}");
        }
    }

    /// Proves WIRE-RTY-04.
    ///
    /// Goal: the backoff doubles from 100 ms, is drawn between 100 ms and that, and ends at 60 s.
    #[test]
    fn backoff_doubles_with_jitter() {
        let random = Random::from_seed(7);
        for attempt in 1..30 {
            let top = (FIRST_PAUSE * (1 << (attempt - 1).min(20))).min(LONGEST_PAUSE);
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..50 {
                let pause = backoff(attempt, &random);
                assert!((FIRST_PAUSE..=top).contains(&pause), "{attempt}: {pause:?}");
                seen.insert(pause);
            }
            assert_eq!(seen.len() > 1, attempt > 1, "jitter from the second on");
        }
    }
}
