//! Recursive descent over the text, without tokens: a string can hold expressions, and those strings.

use super::ast::{Binary, Expression, Node, Part, Unary};
use super::value::Kind;

/// How deeply expressions may be nested, and how high their tree may grow: far above what people write,
/// far below what a thread's stack holds.
const MAX_HEIGHT: usize = 100;

/// Words that cannot be names, kept by the language for later.
const RESERVED: [&str; 34] = [
    "array",
    "as",
    "break",
    "case",
    "const",
    "continue",
    "default",
    "else",
    "fallthrough",
    "float",
    "for",
    "func",
    "function",
    "goto",
    "if",
    "import",
    "in",
    "int",
    "let",
    "loop",
    "map",
    "namespace",
    "number",
    "object",
    "package",
    "range",
    "return",
    "string",
    "struct",
    "switch",
    "type",
    "var",
    "void",
    "while",
];

/// Operators by their signs; a longer sign stands before its beginning.
const OPERATORS: [Binary; 13] = [
    Binary::Or,
    Binary::And,
    Binary::Equal,
    Binary::NotEqual,
    Binary::LessOrEqual,
    Binary::GreaterOrEqual,
    Binary::Less,
    Binary::Greater,
    Binary::Add,
    Binary::Subtract,
    Binary::Multiply,
    Binary::Divide,
    Binary::Modulo,
];

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parser: {what} at {line}:{column}")]
pub struct ParseError {
    /// What is wrong.
    pub what: String,
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
}

/// A text with expressions.
pub(super) fn template(text: &str) -> Result<Vec<Part>, ParseError> {
    let mut parser = Parser {
        all: text,
        at: 0,
        depth: 0,
    };
    parser.text()
}

/// Line and character of an offset, both from 1.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

pub(super) struct Parser<'a> {
    all: &'a str,
    pub(super) at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.all[self.at..]
    }

    pub(super) fn next_char(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Goes over `sign` if it is next.
    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    pub(super) fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    pub(super) fn error_at(&self, at: usize, what: &str) -> ParseError {
        let (line, column) = place(self.all, at);
        ParseError {
            what: what.to_owned(),
            line,
            column,
        }
    }

    /// Something else stands where `expected` should.
    pub(super) fn unexpected(&self, expected: &str) -> ParseError {
        let found = match self.rest().chars().next() {
            None => "the end".to_owned(),
            Some(found) => format!("`{found}`"),
        };
        self.error_at(self.at, &format!("expected {expected}, found {found}"))
    }

    /// A node, unless its tree grows too high.
    pub(super) fn node(&self, at: usize, expression: Expression) -> Result<Node, ParseError> {
        let parts = |parts: &[Part]| {
            let heights = parts.iter().map(|part| match part {
                Part::Text(_) => 0,
                Part::Expression(node) => node.height,
            });
            heights.max().unwrap_or(0)
        };
        let nodes = |nodes: &[Node]| nodes.iter().map(|node| node.height).max().unwrap_or(0);
        let below = match &expression {
            Expression::Literal(_) | Expression::Name(_) => 0,
            Expression::Template(template) => parts(template),
            Expression::Array(items) | Expression::Call(_, items) => nodes(items),
            Expression::Object(members) => {
                let heights = members.iter().map(|(a, b)| a.height.max(b.height));
                heights.max().unwrap_or(0)
            }
            Expression::Property(a, b) | Expression::Binary(_, a, b) => a.height.max(b.height),
            Expression::Unary(_, operand) => operand.height,
        };
        if below >= MAX_HEIGHT {
            return Err(self.error_at(at, "the expression is too long or too deeply nested"));
        }
        Ok(Node {
            expression,
            at,
            height: below + 1,
        })
    }

    /// Runs `parse` one level deeper.
    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth >= MAX_HEIGHT {
            return Err(self.error_at(self.at, "the expression is too deeply nested"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// An expression whose operators bind at least as `precedence` does.
    pub(super) fn expression(&mut self, precedence: u8) -> Result<Node, ParseError> {
        self.deeper(|parser| {
            let mut left = parser.unary()?;
            loop {
                parser.space();
                let at = parser.at;
                let rest = parser.rest();
                let found = OPERATORS.iter().find(|op| rest.starts_with(op.sign()));
                let Some(&operator) = found.filter(|op| op.precedence() >= precedence) else {
                    return Ok(left);
                };
                parser.at += operator.sign().len();
                // All operators group from the left.
                let right = parser.expression(operator.precedence() + 1)?;
                let binary = Expression::Binary(operator, Box::new(left), Box::new(right));
                left = parser.node(at, binary)?;
            }
        })
    }

    fn unary(&mut self) -> Result<Node, ParseError> {
        self.space();
        let at = self.at;
        let operator = match self.rest().as_bytes().first() {
            Some(b'+') => Unary::Plus,
            Some(b'-') => Unary::Minus,
            Some(b'!') => Unary::Not,
            _ => return self.postfix(),
        };
        self.at += 1;
        let operand = self.deeper(Self::unary)?;
        self.node(at, Expression::Unary(operator, Box::new(operand)))
    }

    /// A value with its properties.
    fn postfix(&mut self) -> Result<Node, ParseError> {
        let mut value = self.primary()?;
        loop {
            self.space();
            let at = self.at;
            let key = if self.eat(".") {
                self.space();
                let at = self.at;
                let Some(name) = self.name() else {
                    return Err(self.unexpected("the name of a property"));
                };
                let name = Kind::String(name.to_owned());
                self.node(at, Expression::Literal(name))?
            } else if self.eat("[") {
                let key = self.expression(1)?;
                self.space();
                if !self.eat("]") {
                    return Err(self.unexpected("`]` or an operator"));
                }
                key
            } else if self.rest().starts_with('(') {
                return Err(self.error_at(at, "only a name can be called as a function"));
            } else {
                return Ok(value);
            };
            let property = Expression::Property(Box::new(value), Box::new(key));
            value = self.node(at, property)?;
        }
    }

    fn primary(&mut self) -> Result<Node, ParseError> {
        self.space();
        let at = self.at;
        match self.rest().chars().next() {
            Some('0'..='9') => self.number(),
            Some('"') => {
                self.at += 1;
                self.deeper(Self::double_quoted)
            }
            Some('\'') => {
                self.at += 1;
                self.single_quoted()
            }
            Some('[') => {
                self.at += 1;
                let items = self.list("]", |parser| parser.expression(1))?;
                self.node(at, Expression::Array(items))
            }
            Some('{') => {
                self.at += 1;
                let members = self.list("}", Self::member)?;
                self.node(at, Expression::Object(members))
            }
            Some('(') => {
                self.at += 1;
                let inner = self.expression(1)?;
                self.space();
                if !self.eat(")") {
                    return Err(self.unexpected("`)` or an operator"));
                }
                Ok(inner)
            }
            _ => self.named(),
        }
    }

    /// Items between brackets, with commas between them; one may stand at the end.
    fn list<T>(
        &mut self,
        close: &str,
        item: impl Fn(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        let mut items = Vec::new();
        loop {
            self.space();
            if self.eat(close) {
                return Ok(items);
            }
            items.push(item(self)?);
            self.space();
            if !self.eat(",") && !self.rest().starts_with(close) {
                return Err(self.unexpected(&format!("`,` or `{close}`")));
            }
        }
    }

    /// `name: value`, `"text": value` or `(expression): value`.
    fn member(&mut self) -> Result<(Node, Node), ParseError> {
        let at = self.at;
        let key = match self.name() {
            Some(name) => {
                let name = Kind::String(name.to_owned());
                self.node(at, Expression::Literal(name))?
            }
            None => self.primary()?,
        };
        self.space();
        if !self.eat(":") {
            return Err(self.unexpected("`:`"));
        }
        Ok((key, self.expression(1)?))
    }

    /// Letters, digits and underscores, with no digit at the begin.
    fn name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        if !first.is_alphabetic() && first != '_' {
            return None;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let name = &rest[..end.unwrap_or(rest.len())];
        self.at += name.len();
        Some(name)
    }

    /// A keyword, a name of the scope, or the call of a function.
    fn named(&mut self) -> Result<Node, ParseError> {
        let at = self.at;
        let Some(name) = self.name() else {
            return Err(self.unexpected("a value"));
        };
        let literal = match name {
            "null" => Some(Kind::Null),
            "true" => Some(Kind::Bool(true)),
            "false" => Some(Kind::Bool(false)),
            _ => None,
        };
        if let Some(literal) = literal {
            return self.node(at, Expression::Literal(literal));
        }
        self.space();
        if RESERVED.contains(&name) {
            return Err(self.error_at(at, &format!("`{name}` is a reserved word")));
        }
        if self.eat("(") {
            let arguments = self.list(")", |parser| parser.expression(1))?;
            return self.node(at, Expression::Call(name.to_owned(), arguments));
        }
        self.node(at, Expression::Name(name.to_owned()))
    }

    /// Digits, a fraction, an exponent.
    fn number(&mut self) -> Result<Node, ParseError> {
        let at = self.at;
        self.digits();
        let fraction = self.rest().as_bytes();
        if fraction.first() == Some(&b'.') && fraction.get(1).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
            self.digits();
        }
        if self.rest().starts_with(['e', 'E']) {
            let sign = self.rest().as_bytes().get(1);
            self.at += if matches!(sign, Some(b'+' | b'-')) {
                2
            } else {
                1
            };
            if !self.digits() {
                return Err(self.error_at(at, "the exponent of the number has no digits"));
            }
        }
        let after = self.rest().chars().next();
        let number = self.all[at..self.at].parse::<f64>().ok();
        match number.filter(|number| number.is_finite()) {
            _ if after.is_some_and(|c| c.is_alphanumeric() || c == '_') => {
                Err(self.error_at(at, "this is no number"))
            }
            None => Err(self.error_at(at, "the number is too large")),
            Some(number) => self.node(at, Expression::Literal(Kind::Number(number))),
        }
    }

    /// Goes over digits; whether there were any.
    fn digits(&mut self) -> bool {
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        self.at += digits;
        digits > 0
    }
}
