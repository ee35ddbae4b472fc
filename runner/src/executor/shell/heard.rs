use std::sync::{Arc, Mutex, PoisonError};

use crate::executor::{OutputSink, StageOutput};

/// Longer output than this is not what is listened for.
const MOST: usize = 1024;

/// What `prepare_script` printed. Its script prints `Running on <host>...`; all else comes from a profile
/// of the login shell, or from what runs when it logs out.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// Passes `output` on, and listens to it.
    pub(super) fn listen(output: StageOutput) -> (StageOutput, Heard) {
        let heard = Heard::default();
        let out = heard.sink(output.out, b"");
        // The kinds of a stream stay apart: what comes on stderr is never the one line.
        let err = heard.sink(output.err, b"\n");
        (StageOutput { out, err }, heard)
    }

    fn sink(&self, mut inner: Box<dyn OutputSink>, before: &'static [u8]) -> Box<dyn OutputSink> {
        let heard = self.clone();
        Box::new(move |bytes: &[u8]| {
            let mut all = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() <= MOST && !bytes.is_empty() {
                all.extend_from_slice(before);
                all.extend_from_slice(&bytes[..bytes.len().min(MOST)]);
            }
            drop(all);
            inner.write(bytes);
        })
    }

    /// Whether there was nothing but the line of the script.
    pub(super) fn is_one_line(&self) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = all.strip_suffix(b"...\n");
        line.is_some_and(|line| line.starts_with(b"Running on ") && !line.contains(&b'\n'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the one line counts however it is cut; anything beside it, on either stream, does not.
    #[test]
    fn only_the_line_of_the_script() {
        let heard = |writes: &[(bool, &str)]| {
            let (mut output, heard) = Heard::listen(StageOutput::discard());
            for (is_out, text) in writes {
                let sink = if *is_out {
                    &mut output.out
                } else {
                    &mut output.err
                };
                sink.write(text.as_bytes());
            }
            heard.is_one_line()
        };
        assert!(heard(&[(true, "Running on host...\n")]));
        assert!(heard(&[(true, "Running on"), (true, " host...\n")]));
        assert!(!heard(&[]));
        assert!(!heard(&[(true, "hello\nRunning on host...\n")]));
        assert!(!heard(&[(true, "helloRunning on host...\n")]));
        assert!(!heard(&[(true, "Running on host...\nbye\n")]));
        assert!(!heard(&[
            (true, "Running on host...\n"),
            (true, "bye...\n")
        ]));
        assert!(!heard(&[(false, "Running on host...\n")]));
        assert!(!heard(&[(true, "Running on host...\n"), (false, "x")]));
        let long = "x".repeat(3000);
        assert!(!heard(&[
            (true, "Running on "),
            (true, &long),
            (true, "...\n")
        ]));
    }
}
