use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};

use super::masks::{FirstBytes, MASK, joined, open_start};
use super::skip::Skip;

/// Phrases of up to this many bytes in all are searched by a full table, unless there are only a few.
const TABLE_BYTES: usize = 4096;
/// Up to so many phrases begin so rarely that a table is not worth its memory.
const FEW: usize = 16;
/// Steps of the search per byte of text that phrases and their starts may cost, about.
const STEPS_PER_BYTE: usize = 8;

/// Values that must not appear.
#[derive(Clone, Debug)]
pub(super) struct PhraseSet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Finds phrases anywhere, or tells whether one begins at a place.
    search: AhoCorasick,
    /// Finds these places; `None` with phrases of one byte.
    skip: Option<Skip>,
    words: FirstBytes,
    longest: usize,
    phrases: Vec<String>,
    /// Finds all of them at once, also those that overlap; made when it is needed.
    overlapping: OnceLock<Option<AhoCorasick>>,
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
        let is_compact = total > TABLE_BYTES || phrases.len() <= FEW;
        let kind = is_compact.then_some(AhoCorasickKind::ContiguousNFA);
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .start_kind(StartKind::Both)
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
            skip: Skip::new(phrases.iter().map(String::as_bytes)),
            words: FirstBytes::new(phrases.iter().map(String::as_bytes)),
            longest,
            phrases,
            overlapping: OnceLock::new(),
        })))
    }
}

impl Shared {
    /// The first phrase in `data` from `from` on, the longest that begins there: start and end. `steps`
    /// is what looking at starts may still cost: where too many phrases begin and do not go on, the
    /// search reads byte by byte instead, whose cost does not depend on them.
    fn find(&self, data: &[u8], mut from: usize, steps: &mut usize) -> Option<(usize, usize)> {
        let found = |input: Input<'_>| {
            let found = self.search.try_find(input);
            // Both kinds of start were built, so no search is refused.
            found
                .ok()
                .flatten()
                .map(|found| (found.start(), found.end()))
        };
        let input = Input::new(data);
        if let Some(skip) = &self.skip {
            while *steps > self.longest {
                let start = skip.next(data, from)?;
                let here = input.clone().range(start..).anchored(Anchored::Yes);
                if let Some(found) = found(here) {
                    return Some(found);
                }
                *steps -= self.longest;
                from = start + 1;
            }
        }
        found(input.range(from..))
    }
}

impl Shared {
    /// Every byte from `from` on that belongs to a phrase, as ranges that do not overlap. Costs the same
    /// however phrases overlap, but for those that end with others.
    fn occurrences(&self, data: &[u8], from: usize) -> Vec<(usize, usize)> {
        let search = self.overlapping.get_or_init(|| {
            let search = AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(&self.phrases);
            search.ok()
        });
        let input = Input::new(data).range(from..);
        let Some(found) = search
            .as_ref()
            .and_then(|search| search.try_find_overlapping_iter(input).ok())
        else {
            // Nothing may leak: all of it is masked.
            return vec![(from, data.len())];
        };
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        // In the order of their ends.
        for phrase in found {
            let (mut start, end) = (phrase.start(), phrase.end());
            while let Some((first, _)) = ranges.pop_if(|(_, last)| start < *last) {
                start = start.min(first);
            }
            ranges.push((start, end));
        }
        ranges
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

    /// Masks `input`: the answer is the input itself, or its start, where nothing changes, else `out`,
    /// filled. When `last`, nothing is held back.
    pub(super) fn write<'a>(
        &mut self,
        input: &'a [u8],
        last: bool,
        out: &'a mut Vec<u8>,
    ) -> &'a [u8] {
        let shared = Arc::clone(&self.set.0);
        let fresh = self.held.is_empty();
        let data = joined(&mut self.held, input);
        let hold = if last {
            data.len()
        } else {
            open_start(data, 0, shared.longest, &shared.words)
        };
        let mut steps = data.len() * STEPS_PER_BYTE + shared.longest;
        let mut found = shared.find(data, 0, &mut steps);
        if fresh && found.is_none_or(|(start, _)| start >= hold) {
            self.held.extend_from_slice(&input[hold..]);
            return &input[..hold];
        }
        out.clear();
        // Bytes before `done` are out, or covered by a mask that is out.
        let mut done = self.covered;
        let mut rest = None;
        while let Some((start, end)) = found.filter(|(start, _)| *start < hold) {
            if start >= done {
                out.extend_from_slice(&data[done..start]);
                out.extend_from_slice(MASK);
            }
            done = done.max(end);
            // Occurrences that overlap this one begin behind its first byte. When there are too many of
            // them to look at each, all are found at once.
            found = match &mut rest {
                Some(ranges) => Iterator::next(ranges),
                None if steps >= shared.longest => {
                    steps -= shared.longest;
                    shared.find(data, start + 1, &mut steps)
                }
                None => {
                    let ranges = shared.occurrences(data, start + 1).into_iter();
                    rest.insert(ranges).next()
                }
            };
        }
        if done < hold {
            out.extend_from_slice(&data[done..hold]);
        }
        self.covered = done.saturating_sub(hold);
        let open = data.len() - hold;
        if fresh {
            self.held.extend_from_slice(&input[input.len() - open..]);
        } else {
            self.held.drain(..hold);
        }
        out
    }
}
