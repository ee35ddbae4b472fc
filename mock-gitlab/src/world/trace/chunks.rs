//! The bytes of a log in memory.
//!
//! Most logs are small, and some are very long. A log therefore starts as a vector that grows as needed,
//! goes on in chunks of GitLab's size, and from the first MiB on takes blocks of 2 MiB for which the
//! kernel is asked for huge pages: it clears such a block in one go, where it would else stop the writer
//! at each page of 4 KiB, which costs more than the copying. No log takes more than about twice its size.

use memmap2::MmapMut;

/// Size of a stored chunk, as GitLab has it.
const CHUNK_BYTES: usize = 128 * 1024;
/// So many chunks stand before the first block.
const CHUNKS: usize = 8;
/// A huge page of x86-64 and of ARM64 with pages of 4 KiB.
const BLOCK_BYTES: usize = 2 * 1024 * 1024;

/// Bytes that only grow at the end. Appending costs the appended bytes only: full pieces are never touched
/// again.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    pieces: Vec<Piece>,
    size: usize,
}

/// One piece; all but the last are full.
#[derive(Debug)]
enum Piece {
    Chunk(Vec<u8>),
    Block { memory: MmapMut, length: usize },
}

impl Piece {
    /// An empty piece with this number.
    fn new(number: usize) -> Piece {
        match number {
            0 => Piece::Chunk(Vec::new()),
            // A log that came so far is likely to go on, and what is not written yet takes no memory.
            1..CHUNKS => Piece::Chunk(Vec::with_capacity(CHUNK_BYTES)),
            _ => Piece::block().unwrap_or_else(|| Piece::Chunk(Vec::with_capacity(BLOCK_BYTES))),
        }
    }

    /// `None`: the system gives no such memory; ordinary memory will do.
    fn block() -> Option<Piece> {
        let memory = MmapMut::map_anon(BLOCK_BYTES).ok()?;
        #[cfg(target_os = "linux")]
        // A kernel without huge pages refuses, and gives small ones.
        let _ = memory.advise(memmap2::Advice::HugePage);
        Some(Piece::Block { memory, length: 0 })
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Chunk(bytes) => bytes,
            Piece::Block { memory, length } => memory.get(..*length).unwrap_or_default(),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Piece::Chunk(bytes) => bytes,
            Piece::Block { memory, length } => memory.get_mut(..*length).unwrap_or_default(),
        }
    }

    /// Appends what its memory has room for.
    fn append(&mut self, bytes: &[u8]) {
        match self {
            Piece::Chunk(stored) => stored.extend_from_slice(bytes),
            Piece::Block { memory, length } => {
                let end = *length + bytes.len();
                if let Some(free) = memory.get_mut(*length..end) {
                    free.copy_from_slice(bytes);
                    *length = end;
                }
            }
        }
    }
}

/// Number of the piece that a position belongs to, the place in it, and the bytes from there to its end.
fn place(position: usize) -> (usize, usize, usize) {
    match position.checked_sub(CHUNKS * CHUNK_BYTES) {
        None => {
            let offset = position % CHUNK_BYTES;
            (position / CHUNK_BYTES, offset, CHUNK_BYTES - offset)
        }
        Some(behind) => {
            let offset = behind % BLOCK_BYTES;
            let number = CHUNKS + behind / BLOCK_BYTES;
            (number, offset, BLOCK_BYTES - offset)
        }
    }
}

impl Chunks {
    pub(super) fn len(&self) -> usize {
        self.size
    }

    pub(super) fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (number, _, room) = place(self.size);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            if number == self.pieces.len() {
                self.pieces.push(Piece::new(number));
            }
            if let Some(piece) = self.pieces.last_mut() {
                piece.append(now);
            }
            self.size += now.len();
            bytes = later;
        }
    }

    /// Overwrites the bytes of this range that are there.
    pub(super) fn fill(&mut self, start: usize, length: usize, byte: u8) {
        let end = start.saturating_add(length).min(self.size);
        let mut at = start;
        while at < end {
            let (number, offset, room) = place(at);
            let now = room.min(end - at);
            let piece = self.pieces.get_mut(number).map(Piece::bytes_mut);
            if let Some(bytes) = piece.and_then(|bytes| bytes.get_mut(offset..offset + now)) {
                bytes.fill(byte);
            }
            at += now;
        }
    }

    /// Bytes from `start` on, at most `limit`.
    pub(super) fn slice(&self, start: usize, limit: usize) -> Vec<u8> {
        let end = start.saturating_add(limit).min(self.size);
        let mut found = Vec::with_capacity(end.saturating_sub(start));
        let mut at = start;
        while at < end {
            let (number, offset, room) = place(at);
            let now = room.min(end - at);
            let piece = self.pieces.get(number).map(Piece::bytes);
            found.extend_from_slice(
                piece
                    .and_then(|bytes| bytes.get(offset..offset + now))
                    .unwrap_or_default(),
            );
            at += now;
        }
        found
    }

    /// CRC-32 of all bytes. Costs one pass over them.
    pub(super) fn crc32(&self) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        for piece in &self.pieces {
            sum.update(piece.bytes());
        }
        sum.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_BYTES, CHUNK_BYTES, CHUNKS, Chunks};
    use proptest::prelude::*;

    /// Past the third block.
    const LONGEST: usize = CHUNKS * CHUNK_BYTES + 2 * BLOCK_BYTES + 5;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the cuts: bytes, size, checksum and slices are those of the whole, also after some of
        /// it was overwritten.
        #[test]
        fn pieces_do_not_show(
            parts in proptest::collection::vec((any::<u8>(), 0..BLOCK_BYTES), 0..6),
            fill in (0..LONGEST, 0..CHUNK_BYTES * 3),
            start in 0..LONGEST,
            limit in 0..BLOCK_BYTES * 2,
        ) {
            let mut chunks = Chunks::default();
            let mut whole = Vec::new();
            for (byte, length) in parts {
                let part = vec![byte; length];
                chunks.append(&part);
                whole.extend(part);
            }
            let (from, length) = fill;
            chunks.fill(from, length, b'x');
            let end = whole.len().min(from + length);
            whole.get_mut(from..end).unwrap_or_default().fill(b'x');
            prop_assert_eq!(chunks.len(), whole.len());
            prop_assert_eq!(chunks.crc32(), crc32fast::hash(&whole));
            let tail = whole.get(start..).unwrap_or_default();
            prop_assert!(chunks.slice(start, limit) == tail[..tail.len().min(limit)]);
            prop_assert!(chunks.slice(0, usize::MAX) == whole);
        }
    }
}
