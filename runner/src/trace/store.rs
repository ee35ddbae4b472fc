use std::io;

use bytes::Bytes;

use super::limit::{Limit, Passed};
use super::spool::Spool;
use super::utf8::Utf8Repair;

/// Bytes are gathered up to this before they go to the spool.
const BUFFER_BYTES: usize = 64 * 1024;

/// The end of the pipeline, shared by all streams of a job: UTF-8 repair, limit, size, checksum, spool.
#[derive(Debug)]
pub(super) struct Store {
    utf8: Utf8Repair,
    tail: Tail,
}

/// Size and checksum of a log, always of the same bytes (WIRE-UPD-03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Bytes.
    pub(super) size: u64,
    /// CRC-32 (IEEE) over them.
    pub(super) crc32: u32,
}

#[derive(Debug)]
struct Tail {
    limit: Limit,
    /// Over what is in the spool.
    crc: crc32fast::Hasher,
    /// Bytes in the spool.
    size: u64,
    spool: Spool,
    /// What goes to the spool next.
    buffer: Vec<u8>,
    /// The spool failed: the log ends at what it holds.
    failed: bool,
}

impl Store {
    pub(super) fn new(limit_bytes: u64, spool: Spool) -> Self {
        Store {
            utf8: Utf8Repair::default(),
            tail: Tail {
                limit: Limit::new(limit_bytes),
                crc: crc32fast::Hasher::new(),
                size: 0,
                spool,
                buffer: Vec::new(),
                failed: false,
            },
        }
    }

    /// Whether nothing that comes is kept any more.
    pub(super) fn is_full(&self) -> bool {
        self.tail.limit.is_reached() || self.tail.failed
    }

    /// Takes bytes of any stream.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.is_full() {
            return;
        }
        let Store { utf8, tail } = self;
        utf8.write(bytes, &mut |text| tail.accept(text));
    }

    /// No more bytes come: an open UTF-8 sequence is invalid.
    pub(super) fn close(&mut self) {
        let Store { utf8, tail } = self;
        utf8.close(&mut |text| tail.accept(text));
        tail.flush();
    }

    /// The log so far.
    pub(super) fn extent(&mut self) -> Extent {
        self.tail.flush();
        Extent {
            size: self.tail.size,
            crc32: self.tail.crc.clone().finalize(),
        }
    }

    /// At most `length` bytes from `offset` on; none at the end or behind it.
    pub(super) fn read(&mut self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.tail.flush();
        let available = self.tail.size.saturating_sub(offset);
        let length = available.min(length as u64) as usize;
        if length == 0 {
            return Ok(Bytes::new());
        }
        self.tail.spool.read(offset, length)
    }
}

impl Tail {
    fn accept(&mut self, text: &[u8]) {
        match self.limit.pass(text) {
            Passed::All => self.append(text),
            Passed::Cut { head, notice } => {
                self.append(head);
                self.append(notice.as_bytes());
            }
            Passed::Nothing => {}
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush();
        }
        if bytes.len() >= BUFFER_BYTES {
            self.spool(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        self.spool(&buffer);
        buffer.clear();
        self.buffer = buffer;
    }

    fn spool(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        match self.spool.append(self.size, bytes) {
            Ok(()) => {
                self.size += bytes.len() as u64;
                self.crc.update(bytes);
            }
            Err(error) => {
                tracing::error!(%error, "Failed to write the job's log to its file; the rest of it is lost");
                self.failed = true;
            }
        }
    }
}
