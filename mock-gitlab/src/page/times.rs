//! Times for people.

use jiff::Timestamp;
use maud::{Markup, html};

/// `0 s`, `59 s`, `1 min 5 s`, `2 h 3 min`, `4 d 5 h`. Less than nothing is nothing.
pub(super) fn seconds(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// From one time to another.
pub(super) fn between(start: Timestamp, end: Timestamp) -> String {
    seconds(end.duration_since(start).as_secs())
}

/// How long ago something was. The script keeps it up to date.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> Markup {
    let stamp = format!("{then:.0}");
    html! { time.ago datetime=(stamp) title=(stamp) { (between(then, now)) " ago" } }
}

/// Time of day, with the whole of it behind.
pub(super) fn clock(then: Timestamp) -> Markup {
    let stamp = format!("{then:.0}");
    html! { time datetime=(stamp) title=(stamp) { (stamp.get(11..19).unwrap_or(&stamp)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            (-5, "0 s"),
            (59, "59 s"),
            (65, "1 min 5 s"),
            (7380, "2 h 3 min"),
            (363_600, "4 d 5 h"),
        ];
        for (input, expected) in cases {
            assert_eq!(seconds(input), expected);
        }
    }
}
