//! Questions of an interactive registration (runner.md 2.3).

use std::io::BufRead as _;

use super::Failure;

/// Asks for what the command line did not give.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prompt {
    /// `--non-interactive`: a missing value is an error.
    pub(super) silent: bool,
}

impl Prompt {
    /// The value of `key`: as given if not interactive, else asked for. `may_be_empty` allows none.
    pub(super) fn ask(
        self,
        key: &str,
        question: &str,
        given: &str,
        may_be_empty: bool,
    ) -> Result<String, Failure> {
        if self.silent {
            if given.is_empty() && !may_be_empty {
                return Err(Failure::Panic(format!("The {key} needs to be entered")));
            }
            return Ok(given.to_owned());
        }
        loop {
            let answer = Prompt::ask_once(question, given)?;
            if !answer.is_empty() || may_be_empty {
                return Ok(answer);
            }
        }
    }

    /// Asks once; an empty answer takes the pre-filled value.
    pub(super) fn ask_once(question: &str, given: &str) -> Result<String, Failure> {
        eprintln!("{question}");
        if !given.is_empty() {
            eprint!("[{given}]: ");
        }
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        match read {
            Ok(0) | Err(_) => Err(Failure::Panic(
                "Unexpected EOF. Did you mean to use --non-interactive?".to_owned(),
            )),
            Ok(_) => {
                let answer = line.trim();
                Ok(if answer.is_empty() { given } else { answer }.to_owned())
            }
        }
    }
}
