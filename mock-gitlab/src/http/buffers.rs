//! Memory for bodies that are read to be copied elsewhere.

use std::sync::{Mutex, PoisonError};

/// Most buffers that are kept.
const COUNT: usize = 16;
/// Larger buffers are not kept, so that one long body does not hold memory forever.
const LARGEST: usize = 1024 * 1024;

/// Buffers that were used before: their pages are in place and in the processor's cache, which new memory
/// is not.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The newest, because it is the warmest.
        kept.pop().unwrap_or_default()
    }

    /// Gives a buffer back.
    pub(super) fn give(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() > LARGEST {
            return;
        }
        buffer.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < COUNT {
            kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what is kept has a bound, and nothing of a body is seen by the next one.
    #[test]
    fn buffers_come_back_empty() {
        let buffers = Buffers::default();
        for _ in 0..COUNT * 2 {
            buffers.give(b"secret".to_vec());
        }
        buffers.give(Vec::with_capacity(LARGEST + 1));
        for _ in 0..COUNT {
            let buffer = buffers.take();
            assert!(buffer.is_empty() && (6..=LARGEST).contains(&buffer.capacity()));
        }
        assert_eq!(buffers.take().capacity(), 0);
    }
}
