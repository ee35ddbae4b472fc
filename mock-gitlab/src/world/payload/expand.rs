//! References between variables, resolved as the server does: `$NAME` and `${NAME}` in values that are
//! not raw are replaced, references to file and raw variables are kept for the runner, and so are
//! unknown names. `$$` stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use protocol::job_payload::Variable;

/// Expands all values. Variables that refer to one another in a circle keep their text.
pub(super) fn expand(variables: &mut [Variable]) {
    if !variables.iter().any(refers) {
        return;
    }
    // The last variable of a name is the one that others see.
    let last: BTreeMap<String, usize> = variables
        .iter()
        .enumerate()
        .map(|(index, variable)| (variable.key.as_str().to_owned(), index))
        .collect();
    let mut done = BTreeSet::new();
    for index in 0..variables.len() {
        let mut path = Vec::new();
        resolve(index, variables, &last, &mut done, &mut path);
    }
}

fn refers(variable: &Variable) -> bool {
    !variable.raw.get() && variable.value.as_str().contains('$')
}

/// Resolves one variable after those that it refers to.
fn resolve(
    index: usize,
    variables: &mut [Variable],
    last: &BTreeMap<String, usize>,
    done: &mut BTreeSet<usize>,
    path: &mut Vec<usize>,
) {
    if done.contains(&index) || path.contains(&index) || !refers(&variables[index]) {
        return;
    }
    path.push(index);
    let text = variables[index].value.as_str().to_owned();
    let mut expanded = String::with_capacity(text.len());
    for part in parts(&text) {
        match part {
            Part::Text(text) => expanded.push_str(text),
            Part::Reference { name, text } => {
                let found = last
                    .get(name)
                    .copied()
                    .filter(|found| !path.contains(found));
                let Some(found) = found else {
                    expanded.push_str(text);
                    continue;
                };
                resolve(found, variables, last, done, path);
                let other = &variables[found];
                if other.file.get() || other.raw.get() {
                    expanded.push_str(text);
                } else {
                    expanded.push_str(other.value.as_str());
                }
            }
        }
    }
    path.pop();
    variables[index].value = protocol::Field::Value(expanded);
    done.insert(index);
}

enum Part<'a> {
    Text(&'a str),
    Reference { name: &'a str, text: &'a str },
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        parts.push(Part::Text(before));
        let after = &from[1..];
        let (name, length) = if after.starts_with('$') {
            ("", 2)
        } else if let Some(braced) = after.strip_prefix('{') {
            match braced.find('}') {
                Some(end) if is_name(&braced[..end]) => (&braced[..end], end + 3),
                _ => ("", 1),
            }
        } else {
            let end = after
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(after.len());
            if is_name(&after[..end]) {
                (&after[..end], end + 1)
            } else {
                ("", 1)
            }
        };
        let (part, next) = from.split_at(length);
        parts.push(if name.is_empty() {
            Part::Text(part)
        } else {
            Part::Reference { name, text: part }
        });
        rest = next;
    }
    parts.push(Part::Text(rest));
    parts
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::expand;
    use protocol::Field;
    use protocol::job_payload::Variable;

    fn variable(key: &str, value: &str, raw: bool, file: bool) -> Variable {
        Variable {
            key: Field::from(key),
            value: Field::from(value),
            raw: if raw {
                Field::Value(true)
            } else {
                Field::Absent
            },
            file: if file {
                Field::Value(true)
            } else {
                Field::Absent
            },
            ..Variable::default()
        }
    }

    /// wire.md 3.8, `variables[]`: sorted and expanded by the server, file and raw references kept.
    #[test]
    fn references_are_resolved_in_any_order() {
        let mut variables = vec![
            variable("A", "a-$B-${C}", false, false),
            variable("B", "b$C", false, false),
            variable("C", "c", false, false),
            variable("RAW", "$C", true, false),
            variable("FILE", "text", false, true),
            variable("KEPT", "$RAW ${FILE} $UNKNOWN $$C 5$ ${bad", false, false),
            variable("X", "x$Y", false, false),
            variable("Y", "y$X", false, false),
        ];
        expand(&mut variables);
        let values: Vec<&str> = variables.iter().map(|v| v.value.as_str()).collect();
        assert_eq!(values[..4], ["a-bc-c", "bc", "c", "$C"]);
        assert_eq!(values[5], "$RAW ${FILE} $UNKNOWN $$C 5$ ${bad");
        assert!(values[6].starts_with('x'));
    }
}
