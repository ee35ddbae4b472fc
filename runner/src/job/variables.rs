//! The variables of a job (runner.md 8).

use protocol::job_payload::Variable;

/// A variable of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobVariable {
    /// Name.
    pub key: String,
    /// Value; of a file variable the content of the file.
    pub value: String,
    /// May be shown and passed to services.
    pub public: bool,
    /// Made by the runner itself.
    pub internal: bool,
    /// Hidden in the log.
    pub masked: bool,
    /// The value goes into a file and the variable holds its path.
    pub file: bool,
    /// The value is not expanded.
    pub raw: bool,
}

impl JobVariable {
    /// A variable that everybody may see, not expanded.
    pub fn public(key: &str, value: impl Into<String>) -> Self {
        JobVariable {
            key: key.to_owned(),
            value: value.into(),
            public: true,
            internal: true,
            ..JobVariable::default()
        }
    }

    /// A variable whose value goes into a file.
    pub fn file(key: &str, content: impl Into<String>) -> Self {
        JobVariable {
            file: true,
            ..JobVariable::public(key, content)
        }
    }
}

impl From<&Variable> for JobVariable {
    fn from(variable: &Variable) -> Self {
        JobVariable {
            key: variable.key.get(),
            value: variable.value.get(),
            public: variable.public.get(),
            internal: false,
            masked: variable.masked.get(),
            file: variable.file.get(),
            raw: variable.raw.get(),
        }
    }
}

/// All variables of a job, in order; of several with one name the last one wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    list: Vec<JobVariable>,
    temp_dir: String,
}

impl Variables {
    /// Variables whose file variables go to `temp_dir`.
    pub fn new(list: Vec<JobVariable>, temp_dir: impl Into<String>) -> Self {
        Variables {
            list,
            temp_dir: temp_dir.into(),
        }
    }

    /// The variables in order.
    pub fn iter(&self) -> impl Iterator<Item = &JobVariable> {
        self.list.iter()
    }

    /// Adds a variable, which beats those of the same name before it.
    pub fn push(&mut self, variable: JobVariable) {
        self.list.push(variable);
    }

    /// Sets a variable of the runner in its place, or adds it.
    pub fn set_internal(&mut self, key: &str, value: &str) {
        let own = self
            .list
            .iter_mut()
            .find(|variable| variable.internal && variable.key == key);
        match own {
            Some(variable) => value.clone_into(&mut variable.value),
            None => self.push(JobVariable::public(key, value)),
        }
    }

    /// Where the file of a file variable stands.
    pub fn file_path(&self, key: &str) -> String {
        format!("{}/{key}", self.temp_dir)
    }

    /// The value of `key`, or the empty text; of a file variable the path of its file.
    pub fn get(&self, key: &str) -> String {
        match self.list.iter().rev().find(|variable| variable.key == key) {
            Some(variable) if variable.file => self.file_path(key),
            Some(variable) => variable.value.clone(),
            None => String::new(),
        }
    }

    /// The same variables with every value expanded, once, against the values before expansion
    /// (RUN-VAR-03).
    #[must_use]
    pub fn expanded(&self) -> Variables {
        let list = self
            .list
            .iter()
            .map(|variable| {
                let mut variable = variable.clone();
                if !variable.raw && variable.value.contains('$') {
                    variable.value = self.expand(&variable.value);
                }
                variable
            })
            .collect();
        Variables {
            list,
            temp_dir: self.temp_dir.clone(),
        }
    }

    /// `text` with every `$NAME` and `${NAME}` replaced by the value of that variable.
    pub fn expand(&self, text: &str) -> String {
        expand(text, |name| self.get(name))
    }

    /// Values that the log must hide.
    pub fn masked_values(&self) -> Vec<String> {
        self.list
            .iter()
            .filter(|variable| variable.masked)
            .map(|variable| variable.value.clone())
            .collect()
    }
}

/// Expands `text` as the official runner does: `$$` is a dollar, an unknown name is empty, `$` before
/// anything that begins no name stays (runner.md 8).
pub fn expand(text: &str, value: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let (name, length) = shell_name(rest);
        if length == 0 || name == "$" {
            out.push('$');
        } else if !name.is_empty() && !is_special(name) {
            out.push_str(&value(name));
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// The name that follows a dollar and how many bytes it takes. An empty name with a length is bad syntax
/// that vanishes; no length means that no name follows.
fn shell_name(text: &str) -> (&str, usize) {
    let Some(first) = text.chars().next() else {
        return ("", 0);
    };
    if first == '{' {
        return match text.find('}') {
            Some(1) => ("", 2),
            Some(end) => (&text[1..end], end + 1),
            None => ("", 1),
        };
    }
    if is_special(&text[..first.len_utf8()]) {
        return (&text[..1], 1);
    }
    let length = text
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count();
    (&text[..length], length)
}

/// Names of the shell's own parameters.
fn is_special(name: &str) -> bool {
    let [byte] = name.as_bytes() else {
        return false;
    };
    byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'$' | b'@' | b'!' | b'?' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(key: &str, value: &str) -> JobVariable {
        JobVariable {
            key: key.to_owned(),
            value: value.to_owned(),
            ..JobVariable::default()
        }
    }

    /// Proves RUN-VAR-03.
    #[test]
    fn expansion() {
        let value = |name: &str| match name {
            "A" => "1".to_owned(),
            "LONG_NAME2" => "two".to_owned(),
            _ => String::new(),
        };
        let cases = [
            ("$A", "1"),
            ("${A}b", "1b"),
            ("x$LONG_NAME2-y", "xtwo-y"),
            ("$$A", "$A"),
            ("$UNKNOWN.", "."),
            ("$1$*$#$@$!$?$-|", "|"),
            ("100$ and $% $.", "100$ and $% $."),
            ("${}x", "x"),
            ("${A", "A"),
            ("${A:-b}", ""),
            ("%A%", "%A%"),
            ("tail$", "tail$"),
            ("ż$A", "ż1"),
            ("$ż", "$ż"),
        ];
        for (text, expanded) in cases {
            assert_eq!(expand(text, value), expanded, "{text:?}");
        }
    }

    /// Proves RUN-VAR-03, RUN-VAR-04.
    #[test]
    fn one_pass_last_definition_raw_and_files() {
        let variables = Variables::new(
            vec![
                variable("A", "first"),
                variable("B", "[$A]"),
                variable("C", "[$B]"),
                JobVariable {
                    raw: true,
                    ..variable("R", "$A")
                },
                JobVariable {
                    file: true,
                    ..variable("F", "content $A")
                },
                variable("P", "$F"),
                variable("A", "last"),
            ],
            "/tmp/p.tmp",
        );
        let expanded = variables.expanded();
        assert_eq!(expanded.get("B"), "[last]");
        assert_eq!(expanded.get("C"), "[[$A]]");
        assert_eq!(expanded.get("R"), "$A");
        assert_eq!(expanded.get("F"), "/tmp/p.tmp/F");
        assert_eq!(expanded.get("P"), "/tmp/p.tmp/F");
        let file = expanded.iter().find(|variable| variable.key == "F");
        assert_eq!(file.map(|f| f.value.as_str()), Some("content last"));
    }
}
