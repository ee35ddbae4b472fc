//! Control sequences of one line.

use std::fmt::Write as _;

/// How text looks: what the sequences so far have set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Bold.
    pub bold: bool,
    /// Faint.
    pub faint: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined.
    pub underline: bool,
    /// Struck through.
    pub strike: bool,
    /// Colours are swapped.
    pub inverse: bool,
    /// Colour of the text, of the 256.
    pub foreground: Option<u8>,
    /// Colour behind it, of the 256.
    pub background: Option<u8>,
}

/// Text of one style.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Style.
    pub style: Style,
    /// Text, without control characters.
    pub text: String,
}

impl Style {
    /// Classes of the style sheet; empty for plain text.
    pub fn classes(self) -> String {
        let mut classes = String::new();
        let flags = [
            (self.bold, "bold"),
            (self.faint, "faint"),
            (self.italic, "italic"),
            (self.underline, "under"),
            (self.strike, "strike"),
            (self.inverse, "inverse"),
        ];
        for (_, name) in flags.iter().filter(|(set, _)| *set) {
            let _ = write!(classes, "{name} ");
        }
        if let Some(colour) = self.foreground {
            let _ = write!(classes, "f{colour} ");
        }
        if let Some(colour) = self.background {
            let _ = write!(classes, "g{colour} ");
        }
        classes.truncate(classes.trim_end().len());
        classes
    }

    /// `SGR` parameters, such as `1;32`. Unknown ones change nothing.
    fn apply(&mut self, parameters: &str) {
        let mut numbers = parameters
            .split([';', ':'])
            .map(|text| text.parse::<u16>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Style::default(),
                1 => self.bold = true,
                2 => self.faint = true,
                3 => self.italic = true,
                4 => self.underline = true,
                7 => self.inverse = true,
                9 => self.strike = true,
                21 | 22 => (self.bold, self.faint) = (false, false),
                23 => self.italic = false,
                24 => self.underline = false,
                27 => self.inverse = false,
                29 => self.strike = false,
                30..=37 => self.foreground = Some((number - 30) as u8),
                38 => self.foreground = long(&mut numbers).or(self.foreground),
                39 => self.foreground = None,
                40..=47 => self.background = Some((number - 40) as u8),
                48 => self.background = long(&mut numbers).or(self.background),
                49 => self.background = None,
                90..=97 => self.foreground = Some((number - 90 + 8) as u8),
                100..=107 => self.background = Some((number - 100 + 8) as u8),
                _ => {}
            }
        }
    }
}

/// `5;n`, or `2;r;g;b` as the nearest of the 6x6x6 cube.
fn long(numbers: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match numbers.next()? {
        5 => u8::try_from(numbers.next()?).ok(),
        2 => {
            let mut channel = || numbers.next().map(|value| (value.min(255) + 25) / 51);
            let (red, green, blue) = (channel()?, channel()?, channel()?);
            u8::try_from(16 + 36 * red + 6 * green + blue).ok()
        }
        _ => None,
    }
}

/// Appends the pieces of a text without line ends to `pieces`. A carriage return starts the line again.
pub(super) fn append(text: &str, style: &mut Style, pieces: &mut Vec<Piece>) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        push(&rest[..at], *style, pieces);
        rest = &rest[at..];
        let mut characters = rest.chars();
        let control = characters.next();
        rest = characters.as_str();
        match control {
            Some('\r') if !rest.is_empty() => pieces.clear(),
            Some('\u{1b}') => rest = sequence(rest, style),
            _ => {}
        }
    }
    push(rest, *style, pieces);
}

fn push(text: &str, style: Style, pieces: &mut Vec<Piece>) {
    if text.is_empty() {
        return;
    }
    match pieces.last_mut() {
        Some(last) if last.style == style => last.text.push_str(text),
        _ => pieces.push(Piece {
            style,
            text: text.to_owned(),
        }),
    }
}

/// Takes what follows an ESC: a colour, or something that is left out. Gives the rest.
fn sequence<'a>(rest: &'a str, style: &mut Style) -> &'a str {
    if let Some(body) = rest.strip_prefix('[') {
        let is_final = |c: char| ('@'..='~').contains(&c);
        let Some(end) = body.find(|c: char| is_final(c) || c.is_control()) else {
            return "";
        };
        if body[end..].starts_with('m') {
            style.apply(&body[..end]);
        }
        // A control character in between ends the sequence and stands for itself.
        return body[end..].strip_prefix(is_final).unwrap_or(&body[end..]);
    }
    if let Some(body) = rest.strip_prefix(']') {
        // Titles and links end with BEL or ESC \.
        return match body.find(['\u{7}', '\u{1b}']) {
            Some(end) if body[end..].starts_with('\u{7}') => &body[end + 1..],
            Some(end) => body[end..].strip_prefix("\u{1b}\\").unwrap_or(&body[end..]),
            None => "",
        };
    }
    let mut characters = rest.chars();
    match characters.next() {
        Some('('..='/') => {
            characters.next();
            characters.as_str()
        }
        Some(_) => characters.as_str(),
        None => "",
    }
}
