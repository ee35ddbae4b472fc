use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes the bytes of one output stream of a stage.
pub trait OutputSink: Send {
    /// Takes `bytes`, in order.
    fn write(&mut self, bytes: &[u8]);
}

impl<F: FnMut(&[u8]) + Send> OutputSink for F {
    fn write(&mut self, bytes: &[u8]) {
        self(bytes);
    }
}

/// Where the output of a stage goes. Dropping it closes both streams.
pub struct StageOutput {
    /// Standard output.
    pub out: Box<dyn OutputSink>,
    /// Standard error.
    pub err: Box<dyn OutputSink>,
}

impl StageOutput {
    /// Output that is thrown away.
    pub fn discard() -> Self {
        StageOutput {
            out: Box::new(|_: &[u8]| {}),
            err: Box::new(|_: &[u8]| {}),
        }
    }

    /// Output that is kept, stdout and stderr together as they came.
    pub fn collect() -> (Self, Arc<Mutex<Vec<u8>>>) {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = |bytes: Arc<Mutex<Vec<u8>>>| {
            Box::new(move |new: &[u8]| {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(new);
            })
        };
        let output = StageOutput {
            out: sink(Arc::clone(&bytes)),
            err: sink(Arc::clone(&bytes)),
        };
        (output, bytes)
    }
}

impl fmt::Debug for StageOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageOutput").finish_non_exhaustive()
    }
}
