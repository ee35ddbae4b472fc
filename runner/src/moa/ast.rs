use super::eval::{self, EvalError, Scope};
use super::parser::{self, ParseError};
use super::value::{Kind, Value};

/// A text with expressions in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub(super) parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Text(String),
    Expression(Node),
}

/// An expression with its place and its height as a tree, by which evaluation is bounded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) expression: Expression,
    /// Offset of its first byte, or of its operator.
    pub(super) at: usize,
    pub(super) height: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Literal(Kind),
    /// A string with expressions in it.
    Template(Vec<Part>),
    Name(String),
    Array(Vec<Node>),
    Object(Vec<(Node, Node)>),
    /// `a.b` or `a[b]`.
    Property(Box<Node>, Box<Node>),
    Call(String, Vec<Node>),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<Node>, Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Plus,
    Minus,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Binary {
    /// As it is written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Binary::Or => "||",
            Binary::And => "&&",
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::LessOrEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterOrEqual => ">=",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Modulo => "%",
        }
    }

    /// Precedence; a higher one binds first.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Binary::Or => 1,
            Binary::And => 2,
            Binary::Equal
            | Binary::NotEqual
            | Binary::Less
            | Binary::LessOrEqual
            | Binary::Greater
            | Binary::GreaterOrEqual => 3,
            Binary::Add | Binary::Subtract => 4,
            Binary::Multiply | Binary::Divide | Binary::Modulo => 5,
        }
    }
}

impl Template {
    /// Parses a text. `\${{` stands for `${{`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Template {
            parts: parser::template(text)?,
        })
    }

    /// Whether there is an expression in it.
    pub fn has_expressions(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part, Part::Expression(_)))
    }

    /// The value: that of the expression if there is nothing but one, else a text.
    pub fn render(&self, scope: &Scope) -> Result<Value, EvalError> {
        eval::template(&self.parts, scope)
    }
}
