//! `expire_in`: how long an artifact lives (wire.md 6.1).

/// Seconds of a text such as `7 days`, `2 hrs 20 min`, `1 week and 3d`, `42`; 0 and `never` mean no
/// expiry (`Some(None)`). `None` for text that is no duration.
#[expect(
    clippy::option_option,
    reason = "no duration, no expiry and a duration are three answers"
)]
pub(super) fn parse(text: &str) -> Option<Option<i64>> {
    let text = text.trim().to_ascii_lowercase();
    if text == "never" {
        return Some(None);
    }
    let mut total: i64 = 0;
    let mut number: Option<i64> = None;
    let mut found = false;
    for word in words(&text) {
        if let Ok(value) = word.parse::<i64>() {
            if let Some(earlier) = number.replace(value) {
                total = total.checked_add(earlier)?;
            }
            found = true;
        } else if word != "and" {
            let unit = unit_s(&word)?;
            total = total.checked_add(number.take()?.checked_mul(unit)?)?;
        }
    }
    // A bare number is seconds.
    total = total.checked_add(number.unwrap_or(0))?;
    found.then_some(Some(total).filter(|total| *total > 0))
}

/// Splits at blanks, commas, and between digits and letters.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous = ' ';
    for c in text.chars() {
        if c.is_whitespace() || c == ',' {
            previous = ' ';
            continue;
        }
        let joins = previous != ' ' && previous.is_ascii_digit() == c.is_ascii_digit();
        match words.last_mut() {
            Some(word) if joins => word.push(c),
            _ => words.push(c.to_string()),
        }
        previous = c;
    }
    words
}

fn unit_s(word: &str) -> Option<i64> {
    Some(match word {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86_400,
        "w" | "wk" | "wks" | "week" | "weeks" => 7 * 86_400,
        "mo" | "mos" | "month" | "months" => 30 * 86_400,
        "y" | "yr" | "yrs" | "year" | "years" => 31_557_600,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations() {
        let table = [
            ("7 days", Some(Some(604_800))),
            ("1 week", Some(Some(604_800))),
            ("3 mins 4 sec", Some(Some(184))),
            ("2 hrs 20 min", Some(Some(8400))),
            ("2h20min", Some(Some(8400))),
            ("6 mos 1 day", Some(Some(15_638_400))),
            ("1 week and 3d", Some(Some(864_000))),
            ("42", Some(Some(42))),
            ("0", Some(None)),
            ("never", Some(None)),
            ("", None),
            ("soon", None),
            ("day", None),
            ("99999999999999999 years", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
