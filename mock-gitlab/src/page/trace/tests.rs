//! Lines, sections and colours by example.

use super::{Block, Line, Section, Style, parse, render};

fn text(line: &Line) -> String {
    line.pieces.iter().map(|piece| &*piece.text).collect()
}

fn line(block: &Block) -> &Line {
    match block {
        Block::Line(line) => line,
        Block::Section(section) => panic!("section {}", section.name),
    }
}

fn section(block: &Block) -> &Section {
    match block {
        Block::Section(section) => section,
        Block::Line(line) => panic!("line {}", text(line)),
    }
}

#[test]
fn colours() {
    let blocks = parse(
        b"plain \x1b[32;1mgreen\x1b[0;m \x1b[38;5;208morange\x1b[38;2;255;0;0mred\x1b[39;44;4mblue\x1b[0m\x1b[0K end",
        1,
    );
    let seen: Vec<(String, &str)> = line(&blocks[0])
        .pieces
        .iter()
        .map(|piece| (piece.style.classes(), &*piece.text))
        .collect();
    let expected = [
        ("", "plain "),
        ("bold f2", "green"),
        ("", " "),
        ("f208", "orange"),
        ("f196", "red"),
        ("under g4", "blue"),
        ("", " end"),
    ];
    let expected = expected.map(|(classes, text)| (classes.to_owned(), text));
    assert_eq!(seen, expected);
    assert_eq!(Style::default().classes(), "");
}

/// Colours go on in the next line; a carriage return starts the line again, one at its end does not.
#[test]
fn lines() {
    let blocks = parse(
        b"\x1b[31mred\nstill\r\n10%\r20%\r100%\n\x1b]0;title\x07tail\x1b[2",
        7,
    );
    let lines: Vec<_> = blocks.iter().map(line).collect();
    let texts: Vec<_> = lines.iter().map(|line| text(line)).collect();
    assert_eq!(texts, ["red", "still", "100%", "tail"]);
    assert_eq!(lines[1].pieces[0].style.foreground, Some(1));
    assert_eq!(lines[3].number, 10);
    assert!(parse(b"", 1).is_empty());
    assert_eq!(parse(b"\n\n", 1).len(), 2);
}

/// As the official runner writes them: the header stands behind the marker, the end before the next start.
#[test]
fn sections() {
    let log = "Running\nsection_start:100:prepare[collapsed=true]\r\u{1b}[0K\u{1b}[36;1mPreparing\u{1b}[0;m\nUsing shell\nsection_start:101:inner[hide_duration=true]\r\u{1b}[0KInner\nsection_end:104:inner\r\u{1b}[0Ksection_end:165:prepare\r\u{1b}[0Ksection_start:165:step_script\r\u{1b}[0KExecuting\nhello\nsection_end:1:unknown\r\u{1b}[0K\nbye\n";
    let blocks = parse(log.as_bytes(), 1);
    assert_eq!(text(line(&blocks[0])), "Running");
    let prepare = section(&blocks[1]);
    assert_eq!((&*prepare.name, prepare.collapsed), ("prepare", true));
    assert_eq!(
        prepare.header.as_ref().map(text).as_deref(),
        Some("Preparing")
    );
    assert_eq!(prepare.end, Some(165));
    assert_eq!(text(line(&prepare.body[0])), "Using shell");
    assert_eq!(section(&prepare.body[1]).end, Some(104));
    let script = section(&blocks[2]);
    assert_eq!((&*script.name, script.end), ("step_script", None));
    let body: Vec<_> = script.body.iter().map(|block| text(line(block))).collect();
    assert_eq!(body, ["hello", "bye"]);
    let html = render(&blocks).into_string();
    assert!(
        html.contains("<span class=\"duration\">1 min 5 s</span>"),
        "{html}"
    );
    assert_eq!(html.matches("class=\"duration\"").count(), 1);
    assert_eq!(html.matches("<details").count(), 3);
    assert_eq!(html.matches(" open>").count(), 2);
}

/// Time stamps are a column of their own; lines that the runner cut are one again.
#[test]
fn time_stamps() {
    let log = "2024-05-22T12:43:46.962646Z 00O section_start:1:a\r\u{1b}[0KHead\n2024-05-22T12:43:47.000000Z 01E one \n2024-05-22T12:43:48.000000Z 01E+two\n";
    let blocks = parse(log.as_bytes(), 1);
    let a = section(&blocks[0]);
    let header = a.header.as_ref().unwrap();
    assert_eq!(header.time.as_deref(), Some("2024-05-22T12:43:46.962646Z"));
    assert_eq!(text(header), "Head");
    assert_eq!(a.body.len(), 1);
    assert_eq!(text(line(&a.body[0])), "one two");
}

/// Sections without end and without bottom do not grow a stack.
#[test]
fn deep() {
    let log = "section_start:1:a\r\u{1b}[0Kx\n".repeat(100_000);
    let blocks = parse(log.as_bytes(), 1);
    assert_eq!(blocks.len(), 1);
    assert!(render(&blocks).into_string().len() > 100_000);
}
