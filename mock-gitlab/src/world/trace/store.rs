//! The log of a job and what belongs to it.

use jiff::Timestamp;
use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::chunks::Chunks;
use crate::world::rate_limit::RateWindow;
use crate::world::text::Text;

/// The log of one job.
#[derive(Debug, Default)]
pub(in crate::world) struct JobLog {
    chunks: Chunks,
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
        self.chunks.len() as u64
    }

    /// Costs one pass over the log; the server itself never asks.
    pub(in crate::world) fn crc32(&self) -> u32 {
        self.chunks.crc32()
    }

    pub(in crate::world) fn append(&mut self, bytes: &[u8]) {
        if let Some(pending) = &mut self.pending_state
            && !bytes.is_empty()
        {
            // New live chunks: what was scheduled does not cover them.
            pending.persisted_at = None;
        }
        self.chunks.append(bytes);
    }

    /// Appends `bytes` with every secret replaced by the same number of `x` (WIRE-TRC-19). A secret that
    /// is cut by two patches is not found, as in GitLab.
    pub(super) fn append_without(&mut self, bytes: &[u8], secrets: &[Text]) {
        let start = self.chunks.len();
        self.append(bytes);
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            for at in memmem::find_iter(bytes, secret.as_bytes()) {
                self.chunks.fill(start + at, secret.len(), b'x');
            }
        }
    }

    pub(in crate::world) fn clear(&mut self) {
        self.chunks = Chunks::default();
    }

    pub(in crate::world) fn bytes(&self) -> Vec<u8> {
        self.chunks.slice(0, usize::MAX)
    }

    /// Bytes from `start` on, at most `limit`.
    pub(in crate::world) fn slice(&self, start: u64, limit: usize) -> Vec<u8> {
        self.chunks.slice(start as usize, limit)
    }
}
