//! Whatever a job writes, it stays text.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{Block, Line, parse, render};

/// Pieces that logs are made of, and those that would be dangerous in HTML.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<String>(),
        2 => Just("\n".to_owned()),
        2 => "[<>&\"'/=a-z ]{0,12}",
        1 => Just("<script>alert(1)</script>".to_owned()),
        1 => Just("</span></details><img src=x onerror=alert(1)>".to_owned()),
        1 => Just("&lt;&#60;&amp;".to_owned()),
        1 => Just("\" onmouseover=\"alert(1)".to_owned()),
        1 => "\u{1b}\\[[0-9;:]{0,12}[mKJ]",
        1 => "\u{1b}\\][0-9];[<>\"a-z]{0,6}(\u{7}|\u{1b}\\\\)?",
        1 => Just("\r".to_owned()),
        1 => "section_(start|end):[0-9]{1,12}:[a-c]{1,2}(\\[[a-z=,<>\"]{0,16}\\])?\r(\u{1b}\\[0K)?",
        1 => "20[0-9]{2}-05-22T12:43:46\\.962646Z 0[0-9a-f][OE][ +]",
    ]
}

fn log() -> impl Strategy<Value = Vec<u8>> {
    let texts =
        proptest::collection::vec(fragment(), 0..40).prop_map(|all| all.concat().into_bytes());
    prop_oneof![4 => texts, 1 => proptest::collection::vec(any::<u8>(), 0..200)]
}

/// Takes the tags out of what was rendered. Each must be one that the templates have, letter for letter.
fn without_tags(html: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = html;
    let mut open = Vec::new();
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        let end = rest[at..].find('>').ok_or("a tag without an end")? + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        if !["div", "a", "span", "time", "details", "summary"].contains(&name) {
            return Err(format!("<{tag}>"));
        }
        let mut attributes = attributes;
        while !attributes.is_empty() {
            let length = attributes
                .find(|c: char| !c.is_ascii_lowercase() && c != '-')
                .unwrap_or(attributes.len());
            let (key, after) = attributes.split_at(length);
            if key == "open" {
                attributes = after.trim_start();
                continue;
            }
            let value = after.strip_prefix("=\"").ok_or_else(|| tag.to_owned())?;
            let (value, after) = value.split_once('"').ok_or_else(|| tag.to_owned())?;
            let good = |c: char| c.is_ascii_alphanumeric() || " #-_.:".contains(c);
            let known = ["class", "id", "href", "aria-label", "title", "data-key"].contains(&key);
            if !known || !value.chars().all(good) || (key == "href" && !value.starts_with("#L")) {
                return Err(format!("attribute {key}={value:?} of <{tag}>"));
            }
            attributes = after.trim_start();
        }
        open.push(name);
    }
    text.push_str(rest);
    if !open.is_empty() {
        return Err(format!("{open:?} is open"));
    }
    if text.contains(['>', '"']) {
        return Err(format!("not escaped: {text}"));
    }
    Ok(text)
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// All that a reader of the blocks sees, in order.
fn shown(blocks: &[Block]) -> String {
    let content = |line: &Line| -> String {
        let time = line.time.as_deref().map_or("", |time| &time[11..23]);
        let text: String = line.pieces.iter().map(|piece| &*piece.text).collect();
        format!("{time}{text}")
    };
    let mut all = String::new();
    for block in blocks {
        match block {
            Block::Line(line) => {
                let _ = write!(all, "{}{}", line.number, content(line));
            }
            Block::Section(section) => {
                match &section.header {
                    Some(line) => {
                        let _ = write!(all, "{}{}", line.number, content(line));
                    }
                    None => all += &section.name,
                }
                if let Some(end) = section.end.filter(|_| !section.hide_duration) {
                    all += &crate::page::times::seconds(end.saturating_sub(section.start));
                }
                all += &shown(&section.body);
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    /// Only the templates' own tags and attributes reach the page, balanced; what is left is exactly the
    /// text of the log.
    #[test]
    fn no_html_of_a_log_reaches_the_page(log in log()) {
        let blocks = parse(&log, 1);
        let html = render(&blocks).into_string();
        let text = without_tags(&html).map_err(TestCaseError::fail)?;
        prop_assert_eq!(unescape(&text), shown(&blocks));
    }

    /// No text is lost: the words of plain lines come out, whatever surrounds them.
    #[test]
    fn text_is_kept(before in log(), word in "[a-z<>&\"]{1,20}", after in log()) {
        // The blank line takes what `after` may continue.
        let log = [&before[..], b"\n", word.as_bytes(), b"\n\n", &after].concat();
        let blocks = parse(&log, 1);
        prop_assert!(shown(&blocks).contains(&word));
    }
}
