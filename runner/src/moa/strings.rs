//! Strings and the text around expressions: what a backslash means where.

use super::ast::{Expression, Node, Part};
use super::parser::{ParseError, Parser};
use super::value::Kind;

/// Begin of an expression.
const OPEN: &str = "${{";

impl Parser<'_> {
    /// Text with expressions, up to the end.
    pub(super) fn text(&mut self) -> Result<Vec<Part>, ParseError> {
        let mut parts = Vec::new();
        let mut text = String::new();
        while !self.rest().is_empty() {
            let rest = self.rest();
            let Some(found) = rest.find(OPEN) else {
                text.push_str(rest);
                self.at += rest.len();
                break;
            };
            let before = &rest[..found];
            self.at += found + OPEN.len();
            if let Some(before) = before.strip_suffix('\\') {
                text.push_str(before);
                text.push_str(OPEN);
                continue;
            }
            text.push_str(before);
            self.interpolation(&mut text, &mut parts)?;
        }
        flush(&mut text, &mut parts);
        Ok(parts)
    }

    /// The expression behind `${{`, with its end.
    fn interpolation(
        &mut self,
        text: &mut String,
        parts: &mut Vec<Part>,
    ) -> Result<(), ParseError> {
        let open = self.at - OPEN.len();
        flush(text, parts);
        let node = self.expression(1)?;
        self.space();
        if !self.eat("}}") {
            return Err(if self.rest().is_empty() {
                self.error_at(open, "the expression is not closed by `}}`")
            } else {
                self.unexpected("`}}` or an operator")
            });
        }
        parts.push(Part::Expression(node));
        Ok(())
    }

    /// `"…"`, behind its opening quote: escapes and expressions.
    pub(super) fn double_quoted(&mut self) -> Result<Node, ParseError> {
        let open = self.at - 1;
        let mut parts = Vec::new();
        let mut text = String::new();
        loop {
            if self.eat("\"") {
                break;
            }
            if self.eat(OPEN) {
                self.interpolation(&mut text, &mut parts)?;
                continue;
            }
            match self.next_char() {
                None => return Err(self.error_at(open, "the string is not closed by `\"`")),
                Some('\\') => self.escape(&mut text)?,
                Some(other) => text.push(other),
            }
        }
        if parts.is_empty() {
            return self.node(open, Expression::Literal(Kind::String(text)));
        }
        flush(&mut text, &mut parts);
        self.node(open, Expression::Template(parts))
    }

    /// What follows a backslash in `"…"`.
    fn escape(&mut self, text: &mut String) -> Result<(), ParseError> {
        let at = self.at - 1;
        if self.eat(OPEN) {
            text.push_str(OPEN);
            return Ok(());
        }
        text.push(match self.next_char() {
            Some(same @ ('\\' | '"' | '/')) => same,
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('v') => '\u{b}',
            Some('u') => self.code_point(at)?,
            _ => {
                return Err(self.error_at(
                    at,
                    "this escape is not known; known are \\\\ \\\" \\/ \\n \\r \\t \\a \\b \\f \\v \\uXXXX \\${{",
                ));
            }
        });
        Ok(())
    }

    /// `XXXX` behind `\u`; a surrogate pair is two of them.
    fn code_point(&mut self, at: usize) -> Result<char, ParseError> {
        let high = self.hex(at)?;
        let code = if (0xd800..0xdc00).contains(&high) && self.eat("\\u") {
            let low = self.hex(at)?;
            0x1_0000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00) % 0x1_0000
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.error_at(at, "this is no Unicode character"))
    }

    fn hex(&mut self, at: usize) -> Result<u32, ParseError> {
        let digits = self.rest().get(..4).filter(|digits| {
            let mut bytes = digits.bytes();
            bytes.all(|byte| byte.is_ascii_hexdigit())
        });
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.error_at(at, "`\\u` wants four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    /// `'…'`, behind its opening quote: as it is, but for `\\` and `\'`.
    pub(super) fn single_quoted(&mut self) -> Result<Node, ParseError> {
        let open = self.at - 1;
        let mut text = String::new();
        loop {
            if self.eat("\\\\") {
                text.push('\\');
            } else if self.eat("\\'") {
                text.push('\'');
            } else {
                match self.next_char() {
                    None => return Err(self.error_at(open, "the string is not closed by `'`")),
                    Some('\'') => break,
                    Some(other) => text.push(other),
                }
            }
        }
        self.node(open, Expression::Literal(Kind::String(text)))
    }
}

fn flush(text: &mut String, parts: &mut Vec<Part>) {
    if !text.is_empty() {
        parts.push(Part::Text(std::mem::take(text)));
    }
}
