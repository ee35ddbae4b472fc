//! Lines, time stamps and sections of a log (runner.md 9).

use super::ansi::{self, Piece, Style};

/// Sections that are opened deeper than this stay in the one around them.
const MAX_DEPTH: usize = 16;

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Number, from 1.
    pub number: usize,
    /// Time stamp, if the runner writes them.
    pub time: Option<String>,
    /// Text.
    pub pieces: Vec<Piece>,
}

/// A section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Name.
    pub name: String,
    /// It is folded at first.
    pub collapsed: bool,
    /// How long it took is not shown.
    pub hide_duration: bool,
    /// When it began, s since 1970.
    pub start: i64,
    /// When it ended; `None` while it is open.
    pub end: Option<i64>,
    /// Its first line.
    pub header: Option<Line>,
    /// What follows.
    pub body: Vec<Block>,
}

/// A line or a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A line.
    Line(Line),
    /// A section.
    Section(Section),
}

/// Reads a log whose first line has the number `first`.
pub fn parse(log: &[u8], first: usize) -> Vec<Block> {
    let text = String::from_utf8_lossy(log);
    let mut parser = Parser {
        stack: vec![Section::default()],
        ..Parser::default()
    };
    // What follows the last line end is a line too, unless it is empty.
    let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
    if !text.is_empty() {
        for (index, line) in lines.enumerate() {
            parser.line(first + index, line);
        }
    }
    parser.finish()
}

/// A marker of a section: `section_start:1700000000:name[collapsed=true]` and a carriage return.
struct Marker<'a> {
    begins: bool,
    time: i64,
    name: &'a str,
    options: &'a str,
}

#[derive(Default)]
struct Parser {
    /// Open sections; the first is the log itself.
    stack: Vec<Section>,
    /// The line that may go on.
    line: Option<Line>,
    style: Style,
}

impl Parser {
    fn line(&mut self, number: usize, text: &str) {
        let (stamp, mut text) = match stamp(text) {
            Some((time, continues, rest)) => (Some((time, continues)), rest),
            None => (None, text),
        };
        if !matches!(stamp, Some((_, true))) || self.line.is_none() {
            self.flush();
            self.line = Some(Line {
                number,
                time: stamp.map(|(time, _)| time.to_owned()),
                pieces: Vec::new(),
            });
        }
        let mut marked = false;
        while let Some((before, marker, rest)) = next_marker(text) {
            if let Some(line) = &mut self.line {
                ansi::append(before, &mut self.style, &mut line.pieces);
            }
            self.mark(&marker);
            marked = true;
            text = rest;
        }
        if let Some(line) = &mut self.line {
            ansi::append(text, &mut self.style, &mut line.pieces);
            // A line that held nothing but markers is none.
            if marked && line.pieces.is_empty() {
                self.line = None;
            }
        }
    }

    fn mark(&mut self, marker: &Marker<'_>) {
        // What stood before the marker belongs to where it stood.
        let (number, time) = match &self.line {
            Some(line) => (line.number, line.time.clone()),
            None => (0, None),
        };
        if self
            .line
            .as_ref()
            .is_some_and(|line| !line.pieces.is_empty())
        {
            self.flush();
        }
        self.line = Some(Line {
            number,
            time,
            pieces: Vec::new(),
        });
        if marker.begins {
            if self.stack.len() <= MAX_DEPTH {
                let has = |wanted| {
                    marker
                        .options
                        .split(',')
                        .any(|option| option.trim() == wanted)
                };
                self.stack.push(Section {
                    name: marker.name.to_owned(),
                    collapsed: has("collapsed=true"),
                    hide_duration: has("hide_duration=true"),
                    start: marker.time,
                    ..Section::default()
                });
            }
            return;
        }
        let open = self.stack.iter().skip(1);
        if let Some(depth) = open.rev().position(|section| section.name == marker.name) {
            for _ in 0..=depth {
                self.close(Some(marker.time));
            }
        }
    }

    /// Ends the line.
    fn flush(&mut self) {
        let Some(line) = self.line.take() else { return };
        let depth = self.stack.len();
        let Some(section) = self.stack.last_mut() else {
            return;
        };
        if depth > 1 && section.header.is_none() && section.body.is_empty() {
            section.header = Some(line);
        } else {
            section.body.push(Block::Line(line));
        }
    }

    /// Ends the innermost section.
    fn close(&mut self, end: Option<i64>) {
        if self.stack.len() > 1
            && let Some(mut section) = self.stack.pop()
            && let Some(outer) = self.stack.last_mut()
        {
            section.end = end;
            outer.body.push(Block::Section(section));
        }
    }

    fn finish(mut self) -> Vec<Block> {
        self.flush();
        while self.stack.len() > 1 {
            self.close(None);
        }
        self.stack.pop().map(|log| log.body).unwrap_or_default()
    }
}

/// `2024-05-22T12:43:46.962646Z 00O ` and the text behind it; `+` instead of the last blank says that the
/// line goes on with the one before.
fn stamp(line: &str) -> Option<(&str, bool, &str)> {
    const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd:dd.ddddddZ xxs";
    let bytes = line.as_bytes();
    let fits = bytes.len() > SHAPE.len()
        && SHAPE.iter().zip(bytes).all(|(shape, byte)| match shape {
            b'd' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_hexdigit(),
            b's' => matches!(byte, b'O' | b'E'),
            same => same == byte,
        });
    let continues = match bytes.get(SHAPE.len()) {
        Some(b'+') => true,
        Some(b' ') => false,
        _ => return None,
    };
    fits.then(|| (&line[..27], continues, &line[SHAPE.len() + 1..]))
}

/// The first marker of a line, what stands before it, and behind it.
fn next_marker(line: &str) -> Option<(&str, Marker<'_>, &str)> {
    let mut from = 0;
    while let Some(found) = line[from..].find("section_") {
        let at = from + found;
        if let Some((marker, rest)) = marker(&line[at..]) {
            return Some((&line[..at], marker, rest));
        }
        from = at + 1;
    }
    None
}

fn marker(text: &str) -> Option<(Marker<'_>, &str)> {
    let (begins, rest) = match text.strip_prefix("section_start:") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("section_end:")?),
    };
    let (head, rest) = rest.split_once('\r')?;
    let (time, name) = head.split_once(':')?;
    let (name, options) = match name.split_once('[') {
        Some((name, options)) => (name, options.strip_suffix(']')?),
        None => (name, ""),
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || !name.chars().all(good) {
        return None;
    }
    let marker = Marker {
        begins,
        time: time.parse().ok()?,
        name,
        options,
    };
    Some((marker, rest.strip_prefix("\u{1b}[0K").unwrap_or(rest)))
}
