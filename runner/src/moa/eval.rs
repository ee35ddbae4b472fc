//! Evaluation. Recursion is bounded by the height of the tree, which the parser bounds.

use super::ast::{Binary, Expression, Node, Part, Unary};
use super::parser::place;
use super::value::{Kind, Value};

/// What names mean.
pub type Scope = [(String, Value)];

/// A template that cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct EvalError {
    /// What is wrong. It does not show values, which may be sensitive.
    pub what: String,
    /// Offset in the text of the template.
    pub at: usize,
}

impl EvalError {
    /// What is wrong, with line and character in `text`, which was the template.
    pub fn in_text(&self, text: &str) -> String {
        let (line, column) = place(text, self.at);
        format!("{} at {line}:{column}", self.what)
    }
}

fn error<T>(node: &Node, what: impl Into<String>) -> Result<T, EvalError> {
    Err(EvalError {
        what: what.into(),
        at: node.at,
    })
}

/// The value of a template: that of its only expression, else a text.
pub(super) fn template(parts: &[Part], scope: &Scope) -> Result<Value, EvalError> {
    if let [Part::Expression(only)] = parts {
        return value(only, scope);
    }
    let mut text = String::new();
    let mut sensitive = false;
    for part in parts {
        match part {
            Part::Text(part) => text.push_str(part),
            Part::Expression(node) => {
                let value = value(node, scope)?;
                sensitive |= value.is_sensitive();
                text.push_str(&value.kind.to_string());
            }
        }
    }
    Ok(Value::plain(Kind::String(text)).marked(sensitive))
}

fn value(node: &Node, scope: &Scope) -> Result<Value, EvalError> {
    Ok(match &node.expression {
        Expression::Literal(kind) => Value::plain(kind.clone()),
        Expression::Template(parts) => {
            // A string stays a string, even with nothing but an expression in it.
            let value = template(parts, scope)?;
            let sensitive = value.is_sensitive();
            Value::plain(Kind::String(value.kind.to_string())).marked(sensitive)
        }
        Expression::Name(name) => match scope.iter().find(|(known, _)| known == name) {
            Some((_, value)) => value.clone(),
            None => return error(node, format!("`{name}` is not defined")),
        },
        Expression::Array(items) => {
            let items = items.iter().map(|item| value(item, scope));
            Value::plain(Kind::Array(items.collect::<Result<_, _>>()?))
        }
        Expression::Object(members) => object(members, scope)?,
        Expression::Property(from, key) => {
            property(node, &value(from, scope)?, &value(key, scope)?)?
        }
        Expression::Call(name, arguments) => call(node, name, arguments, scope)?,
        Expression::Unary(operator, operand) => unary(node, *operator, value(operand, scope)?)?,
        Expression::Binary(operator, left, right) => {
            let left = value(left, scope)?;
            match operator {
                // One operand is the result; whoever sees it learns of the other.
                Binary::Or if left.kind.is_true() => left,
                Binary::And if !left.kind.is_true() => left,
                Binary::Or | Binary::And => {
                    let sensitive = left.is_sensitive();
                    value(right, scope)?.marked(sensitive)
                }
                _ => {
                    let right = value(right, scope)?;
                    let sensitive = left.is_sensitive() || right.is_sensitive();
                    let kind = binary(node, *operator, &left.kind, &right.kind)?;
                    Value::plain(kind).marked(sensitive)
                }
            }
        }
    })
}

fn object(members: &[(Node, Node)], scope: &Scope) -> Result<Value, EvalError> {
    let mut object: Vec<(String, Value)> = Vec::new();
    for (key_node, member) in members {
        let key = value(key_node, scope)?;
        let sensitive = key.is_sensitive();
        let Kind::String(name) = key.kind else {
            let what = format!(
                "the key of an object must be a string, not {}",
                key.kind.name()
            );
            return error(key_node, what);
        };
        let member = value(member, scope)?.marked(sensitive);
        match object.iter_mut().find(|(known, _)| *known == name) {
            Some((_, value)) => *value = member,
            None => object.push((name, member)),
        }
    }
    Ok(Value::plain(Kind::Object(object)))
}

fn property(node: &Node, from: &Value, key: &Value) -> Result<Value, EvalError> {
    let found = match (&from.kind, &key.kind) {
        (Kind::Object(members), Kind::String(name)) => {
            let found = members.iter().find(|(known, _)| known == name);
            match found {
                Some((_, value)) => value,
                None => return error(node, format!("attribute `{name}` not found")),
            }
        }
        (Kind::Array(items), Kind::Number(index)) => {
            let inside = index.fract() == 0.0 && (0.0..items.len() as f64).contains(index);
            let Some(value) = items.get(*index as usize).filter(|_| inside) else {
                let length = items.len();
                return error(
                    node,
                    format!("index {index} is not in an array of {length}"),
                );
            };
            value
        }
        (from @ (Kind::Object(_) | Kind::Array(_)), key) => {
            let wanted = if matches!(from, Kind::Object(_)) {
                "string"
            } else {
                "number"
            };
            let what = format!("{} requires {wanted} key not {}", from.name(), key.name());
            return error(node, what);
        }
        (other, _) => return error(node, format!("{} has no properties", other.name())),
    };
    let sensitive = from.sensitive || key.is_sensitive();
    Ok(found.clone().marked(sensitive))
}

fn call(node: &Node, name: &str, arguments: &[Node], scope: &Scope) -> Result<Value, EvalError> {
    if !matches!(name, "str" | "num" | "bool") {
        return error(
            node,
            format!("function `{name}` is not defined; there are str, num and bool"),
        );
    }
    let [argument] = arguments else {
        let given = arguments.len();
        return error(node, format!("`{name}` takes one argument, not {given}"));
    };
    let argument = value(argument, scope)?;
    let sensitive = argument.is_sensitive();
    let kind = match (name, argument.kind) {
        ("str", kind) => Kind::String(kind.to_string()),
        ("bool", kind) => Kind::Bool(kind.is_true()),
        (_, Kind::Number(number)) => Kind::Number(number),
        (_, Kind::String(text)) => match text.parse::<f64>().ok().filter(|n| n.is_finite()) {
            Some(number) => Kind::Number(number),
            // The text itself may be sensitive.
            None => return error(node, "`num` was given a string that is no number"),
        },
        (_, other) => {
            return error(node, format!("`num` takes a string, not {}", other.name()));
        }
    };
    Ok(Value::plain(kind).marked(sensitive))
}

fn unary(node: &Node, operator: Unary, operand: Value) -> Result<Value, EvalError> {
    let sensitive = operand.is_sensitive();
    let kind = match (operator, operand.kind) {
        (Unary::Not, kind) => Kind::Bool(!kind.is_true()),
        (Unary::Plus, Kind::Number(number)) => Kind::Number(number),
        (Unary::Minus, Kind::Number(number)) => Kind::Number(-number),
        (Unary::Plus | Unary::Minus, other) => {
            return error(node, format!("a sign needs a number, not {}", other.name()));
        }
    };
    Ok(Value::plain(kind).marked(sensitive))
}

fn binary(node: &Node, operator: Binary, left: &Kind, right: &Kind) -> Result<Kind, EvalError> {
    let order = || left.order(right);
    let (a, b) = match operator {
        Binary::Equal => return Ok(Kind::Bool(order().is_eq())),
        Binary::NotEqual => return Ok(Kind::Bool(order().is_ne())),
        Binary::Less => return Ok(Kind::Bool(order().is_lt())),
        Binary::LessOrEqual => return Ok(Kind::Bool(order().is_le())),
        Binary::Greater => return Ok(Kind::Bool(order().is_gt())),
        Binary::GreaterOrEqual => return Ok(Kind::Bool(order().is_ge())),
        _ => match (left, right) {
            (Kind::String(a), Kind::String(b)) if operator == Binary::Add => {
                return Ok(Kind::String(format!("{a}{b}")));
            }
            (Kind::Number(a), Kind::Number(b)) => (*a, *b),
            _ => {
                let (sign, a, b) = (operator.sign(), left.name(), right.name());
                return error(node, format!("`{sign}` does not work on {a} and {b}"));
            }
        },
    };
    if b == 0.0 && matches!(operator, Binary::Divide | Binary::Modulo) {
        return error(node, "division by zero");
    }
    let number = match operator {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        _ => a % b,
    };
    if !number.is_finite() {
        return error(node, "the result is too large for a number");
    }
    Ok(Kind::Number(number))
}
