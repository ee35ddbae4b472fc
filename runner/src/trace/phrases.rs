use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::masks::{FirstBytes, MASK, joined, open_start};

/// Phrases of up to this many bytes in all are searched by a full table.
const TABLE_BYTES: usize = 4096;

/// Values that must not appear.
#[derive(Clone, Debug)]
pub(super) struct PhraseSet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    search: AhoCorasick,
    words: FirstBytes,
    longest: usize,
}

impl PhraseSet {
    /// A set, or `None` if nothing is to be masked.
    pub(super) fn new(mut phrases: Vec<String>) -> Option<Self> {
        phrases.retain(|phrase| !phrase.is_empty());
        phrases.sort_unstable();
        phrases.dedup();
        let longest = phrases.iter().map(String::len).max()?;
        let total: usize = phrases.iter().map(String::len).sum();
        // A table with a row for each byte of a phrase is fastest, and too big for a key file.
        let kind = (total > TABLE_BYTES).then_some(AhoCorasickKind::ContiguousNFA);
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(kind)
            .build(&phrases);
        let search = match search {
            Ok(search) => search,
            Err(error) => {
                // Only with gigabytes of phrases. Nothing may leak, so everything is masked.
                tracing::error!(%error, "Too many masked values: the log of the job is masked as a whole");
                return PhraseSet::new(
                    (0u8..128)
                        .map(|byte| char::from(byte).to_string())
                        .collect(),
                );
            }
        };
        Some(PhraseSet(Arc::new(Shared {
            search,
            words: FirstBytes::new(phrases.iter().map(String::as_bytes)),
            longest,
        })))
    }
}

/// Replaces phrases in one stream.
///
/// Every byte of every occurrence is masked. Occurrences that overlap share one mask; the official
/// runner's chain of filters masks only the one of highest rank there, and leaves parts of the others.
#[derive(Debug)]
pub(super) struct PhraseMasker {
    set: PhraseSet,
    /// The start of what may become a phrase.
    held: Vec<u8>,
    /// So many of the held bytes belong to a phrase whose mask is out already.
    covered: usize,
}

impl PhraseMasker {
    pub(super) fn new(set: PhraseSet) -> Self {
        PhraseMasker {
            set,
            held: Vec::new(),
            covered: 0,
        }
    }

    /// Masks `input` into `out`. When `last`, nothing is held back.
    pub(super) fn write(&mut self, input: &[u8], last: bool, out: &mut Vec<u8>) {
        let Shared {
            search,
            words,
            longest,
        } = &*self.set.0;
        let data = joined(&mut self.held, input);
        let hold = if last {
            data.len()
        } else {
            open_start(data, 0, *longest, words)
        };
        // Bytes before `done` are out, or covered by a mask that is out.
        let mut done = self.covered;
        let mut from = 0;
        while let Some(found) = search.find(&data[from..]) {
            let (start, end) = (from + found.start(), from + found.end());
            if start >= hold {
                break;
            }
            if start >= done {
                out.extend_from_slice(&data[done..start]);
                out.extend_from_slice(MASK);
            }
            done = done.max(end);
            // Occurrences that overlap this one begin behind its first byte.
            from = start + 1;
        }
        if done < hold {
            out.extend_from_slice(&data[done..hold]);
        }
        self.covered = done.saturating_sub(hold);
        let rest = data.len() - hold;
        if self.held.is_empty() {
            self.held.extend_from_slice(&input[input.len() - rest..]);
        } else {
            self.held.drain(..hold);
        }
    }
}
