//! Why a body could not be decoded, with the place.

use std::fmt;

/// A body that could not be decoded: the member, outermost first, and what is wrong there.
///
/// The message never quotes more of the body than one scalar value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    path: Vec<String>,
    message: String,
}

impl Error {
    /// The same error seen from one level further out.
    pub(super) fn within(mut self, step: impl Into<String>) -> Error {
        self.path.insert(0, step.into());
        self
    }

    /// The member at fault, such as `git_info.depth` or `steps[0].script`; empty for the whole body.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        path
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}`: {}", self.path(), self.message)
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error {
            path: Vec::new(),
            message: message.to_string(),
        }
    }
}
