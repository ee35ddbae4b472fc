//! The bytes of a log, their checksum, and what belongs to them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::world::rate_limit::RateWindow;
use crate::world::text::Text;

/// Size of a stored chunk, as GitLab has it.
const CHUNK_BYTES: usize = 128 * 1024;

/// The log of one job.
///
/// Appending costs the appended bytes only: full chunks are never touched again, and the checksum goes
/// on from where it was.
#[derive(Debug, Default)]
pub(in crate::world) struct JobLog {
    chunks: Vec<Vec<u8>>,
    size: u64,
    checksum: crc32fast::Hasher,
    pub(in crate::world) debug: bool,
    pub(in crate::world) watched_until: Option<Timestamp>,
    /// Somebody else holds the write lock.
    pub(in crate::world) locked: bool,
    pub(in crate::world) pending_state: Option<PendingState>,
    /// Checksum and size that the runner reported with a final update.
    pub(in crate::world) reported: Option<(Text, u64)>,
    pub(in crate::world) patches: RateWindow,
    pub(in crate::world) calls: RateWindow,
}

/// A final update that waits for the log to be persisted (wire.md 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::world) struct PendingState {
    pub(in crate::world) created_at: Timestamp,
    /// When the chunks will be persisted, once that is scheduled.
    pub(in crate::world) persisted_at: Option<Timestamp>,
}

impl JobLog {
    pub(in crate::world) fn size(&self) -> u64 {
        self.size
    }

    pub(in crate::world) fn crc32(&self) -> u32 {
        self.checksum.clone().finalize()
    }

    pub(in crate::world) fn append(&mut self, mut bytes: &[u8]) {
        self.checksum.update(bytes);
        self.size += bytes.len() as u64;
        if let Some(pending) = &mut self.pending_state
            && !bytes.is_empty()
        {
            // New live chunks: what was scheduled does not cover them.
            pending.persisted_at = None;
        }
        while !bytes.is_empty() {
            match self.chunks.last_mut() {
                Some(last) if last.len() < CHUNK_BYTES => {
                    let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - last.len()));
                    last.extend_from_slice(now);
                    bytes = later;
                }
                _ => self.chunks.push(Vec::new()),
            }
        }
    }

    pub(in crate::world) fn clear(&mut self) {
        self.chunks = Vec::new();
        self.size = 0;
        self.checksum = crc32fast::Hasher::new();
    }

    pub(in crate::world) fn bytes(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    /// Bytes from `start` on, at most `limit`.
    pub(in crate::world) fn slice(&self, start: u64, limit: usize) -> Vec<u8> {
        let mut found = Vec::new();
        let mut chunk = (start / CHUNK_BYTES as u64) as usize;
        let mut offset = (start % CHUNK_BYTES as u64) as usize;
        while let Some(bytes) = self.chunks.get(chunk)
            && found.len() < limit
        {
            let rest = bytes.get(offset..).unwrap_or_default();
            let take = rest.len().min(limit - found.len());
            found.extend_from_slice(&rest[..take]);
            chunk += 1;
            offset = 0;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK_BYTES, JobLog};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the cuts: bytes, size, checksum and slices are those of the whole.
        #[test]
        fn chunks_do_not_show(
            parts in proptest::collection::vec((any::<u8>(), 0..CHUNK_BYTES * 2), 0..6),
            start in 0..CHUNK_BYTES * 6,
            limit in 0..CHUNK_BYTES * 3,
        ) {
            let mut log = JobLog::default();
            let mut whole = Vec::new();
            for (byte, length) in parts {
                let part = vec![byte; length];
                log.append(&part);
                whole.extend(part);
            }
            prop_assert_eq!(log.size(), whole.len() as u64);
            prop_assert_eq!(log.crc32(), crc32fast::hash(&whole));
            let tail = whole.get(start..).unwrap_or_default();
            prop_assert_eq!(log.slice(start as u64, limit), &tail[..tail.len().min(limit)]);
            prop_assert!(log.bytes() == whole);
        }
    }
}
