//! Ranges and checksums of job logs (wire.md 4 and 5.1).

use std::fmt;

/// Most bytes in one trace patch: 1 MiB (WIRE-TRC-03).
pub const MAX_PATCH_BYTES: usize = 1_048_576;

/// `Content-Range` of a trace patch as the runner sends it: `first-last`, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// Offset of the first byte.
    pub first: u64,
    /// Bytes in the body.
    pub length: u64,
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An empty body at offset 15 is written `15-14` (wire.md 4.3), at offset 0 `0--1`.
        let last = i128::from(self.first) + i128::from(self.length) - 1;
        write!(f, "{}-{last}", self.first)
    }
}

/// The start that a server reads from `Content-Range`: the number before the first `-`; the end and a
/// `/total` are ignored (wire.md 4.3 step 3, WIRE-TRC-13). Ruby's `to_i`: leading digits, else 0.
pub fn content_range_start(value: &str) -> u64 {
    let head = value.split('-').next().unwrap_or_default().trim_start();
    let head = head.strip_prefix('+').unwrap_or(head);
    let mut start: u64 = 0;
    let mut after_digit = false;
    for byte in head.bytes() {
        match byte {
            b'0'..=b'9' => {
                // Ruby's integers have no limit; nothing stored is that long, so the top stands for all.
                start = start
                    .saturating_mul(10)
                    .saturating_add(u64::from(byte - b'0'));
                after_digit = true;
            }
            // Ruby allows single underscores between digits.
            b'_' if after_digit => after_digit = false,
            _ => break,
        }
    }
    start
}

/// `Range` of a server's answer: `0-<stored size>`.
pub fn stored_range(size: u64) -> String {
    format!("0-{size}")
}

/// The offset that a runner takes from the `Range` of a 416: the number after `-` if there are exactly
/// two parts, else 0 (wire.md 4.4 rule 4, WIRE-TRC-07).
pub fn resync_offset(range: Option<&str>) -> u64 {
    let Some(range) = range else { return 0 };
    let mut parts = range.split('-');
    let (Some(_), Some(last), None) = (parts.next(), parts.next(), parts.next()) else {
        return 0;
    };
    last.parse::<i64>()
        .ok()
        .and_then(|last| u64::try_from(last).ok())
        .unwrap_or(0)
}

/// A checksum as it is sent: `crc32:` and 8 lower-case hex digits (RUN-LOG-11).
pub fn checksum(crc32: u32) -> String {
    format!("crc32:{crc32:08x}")
}

/// The checksum of a whole log.
pub fn checksum_of(bytes: &[u8]) -> String {
    checksum(crc32fast::hash(bytes))
}
