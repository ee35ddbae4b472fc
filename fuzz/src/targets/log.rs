//! The log of a job: masking, repair, limit.

use std::sync::Arc;

use runner::clock::SystemClock;
use runner::trace::{JobLog, LogOptions, Masks, Spool};

/// What must never be seen; the second is a part of the first.
const PHRASES: [&str; 3] = ["s3cr3tvalue", "s3cr3t", "zweite\nzeile"];
const TOKEN_PREFIXES: [&str; 1] = ["glpat-"];

/// The first byte says how many lengths follow, then come the lengths of writes, then the output of the
/// job. However it is cut into writes: the log is the same as from one write, no secret is in it, it is
/// UTF-8, and size and checksum are those of its bytes. With a limit, too.
pub fn log(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let (lengths, output) = rest.split_at(usize::from(*count).min(rest.len()));
    for limit_bytes in [4 * 1024 * 1024, 64] {
        let whole = logged(&[], output, limit_bytes);
        let pieces = logged(lengths, output, limit_bytes);
        assert_eq!(
            String::from_utf8_lossy(&pieces),
            String::from_utf8_lossy(&whole),
            "cut into {lengths:?}, limit {limit_bytes}"
        );
        assert!(std::str::from_utf8(&whole).is_ok(), "not UTF-8");
        for phrase in PHRASES {
            let found = whole
                .windows(phrase.len())
                .any(|window| window == phrase.as_bytes());
            assert!(!found, "`{phrase}` is in the log");
        }
    }
}

/// Writes `output` in pieces of `lengths`, the rest at once, and reads the log back.
fn logged(lengths: &[u8], output: &[u8], limit_bytes: u64) -> Vec<u8> {
    let options = LogOptions {
        timestamps: false,
        masks: Masks::new(PHRASES, TOKEN_PREFIXES),
        limit_bytes,
        trace_sections: true,
    };
    let log = JobLog::new(options, Arc::new(SystemClock), Spool::memory());
    let (mut out, err) = log.stream();
    let mut rest = output;
    for length in lengths {
        let (piece, more) = rest.split_at(usize::from(*length).min(rest.len()));
        out.write(piece);
        rest = more;
    }
    out.write(rest);
    out.close();
    err.close();
    log.close();
    let size = log.size();
    let bytes = log
        .read(0, usize::try_from(size).unwrap_or(usize::MAX))
        .expect("memory can be read");
    assert_eq!(bytes.len() as u64, size);
    assert_eq!(protocol::trace::checksum_of(&bytes), log.checksum());
    bytes.to_vec()
}
