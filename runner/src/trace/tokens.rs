use std::sync::Arc;

use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, Input, Match, MatchKind};

use super::masks::{FirstBytes, MASK, MAX_TOKEN_PREFIXES, joined, open_start};

/// Prefixes of tokens.
#[derive(Clone, Debug)]
pub(super) struct TokenSet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    search: AhoCorasick,
    /// Finds the same, many bytes at a time, where the processor can.
    packed: Option<Searcher>,
    words: FirstBytes,
    longest: usize,
}

impl TokenSet {
    /// A set of the first 15 prefixes by length and alphabet, or `None` if there is none.
    pub(super) fn new(mut prefixes: Vec<String>) -> Option<Self> {
        prefixes.retain(|prefix| !prefix.is_empty());
        prefixes.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        prefixes.dedup();
        prefixes.truncate(MAX_TOKEN_PREFIXES);
        let longest = prefixes.iter().map(String::len).max()?;
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(&prefixes)
            .inspect_err(|error| tracing::error!(%error, "Token prefixes cannot be masked"))
            .ok()?;
        let packed = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostFirst)
            .builder()
            .extend(&prefixes)
            .build();
        Some(TokenSet(Arc::new(Shared {
            search,
            packed,
            words: FirstBytes::new(prefixes.iter().map(String::as_bytes)),
            longest,
        })))
    }
}

impl Shared {
    /// The first prefix in `data` from `from` on.
    fn find(&self, data: &[u8], from: usize) -> Option<Match> {
        match &self.packed {
            Some(packed) => packed.find_in(data, (from..data.len()).into()),
            None => self.search.find(Input::new(data).range(from..)),
        }
    }
}

/// Masks what follows a token prefix in one stream: the prefix stays, the run of token characters
/// behind it goes. A mask inside the run (a masked phrase) stays.
#[derive(Debug)]
pub(super) struct TokenMasker {
    set: TokenSet,
    held: Vec<u8>,
    /// The mask is out, and the run goes on.
    in_run: bool,
}

/// What follows a prefix.
enum Behind {
    /// A run of token characters, so many bytes behind the prefix (masks of phrases stand between).
    Token(usize),
    /// Nothing to mask.
    Bare,
    /// More bytes must come.
    Open,
}

impl TokenMasker {
    pub(super) fn new(set: TokenSet) -> Self {
        TokenMasker {
            set,
            held: Vec::new(),
            in_run: false,
        }
    }

    /// Masks `input`: the answer is the input itself where nothing changes, else `out`, filled.
    pub(super) fn write<'a>(
        &mut self,
        input: &'a [u8],
        last: bool,
        out: &'a mut Vec<u8>,
    ) -> &'a [u8] {
        let shared = Arc::clone(&self.set.0);
        if self.held.is_empty()
            && !self.in_run
            && shared.find(input, 0).is_none()
            && (last || open_start(input, 0, shared.longest, &shared.words) == input.len())
        {
            return input;
        }
        out.clear();
        let mut held = std::mem::take(&mut self.held);
        let data = joined(&mut held, input);
        let rest = self.scan(&shared, data, last, out);
        self.held.extend_from_slice(&data[rest..]);
        out
    }

    /// Masks `data` into `out`; answers where the bytes begin that must wait.
    fn scan(&mut self, shared: &Shared, data: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        let mut done = 0;
        'text: loop {
            while self.in_run {
                done += run_length(&data[done..]);
                let rest = &data[done..];
                if rest.starts_with(MASK) {
                    out.extend_from_slice(MASK);
                    done += MASK.len();
                } else if !last && MASK.starts_with(rest) {
                    // The end of the data, or the start of a mask.
                    return done;
                } else {
                    self.in_run = false;
                }
            }
            let mut from = done;
            while let Some(found) = shared.find(data, from) {
                let (start, end) = (found.start(), found.end());
                match behind(&data[end..]) {
                    Behind::Token(offset) => {
                        out.extend_from_slice(&data[done..end + offset]);
                        out.extend_from_slice(MASK);
                        done = end + offset;
                        self.in_run = true;
                        continue 'text;
                    }
                    Behind::Open if !last => {
                        // An earlier open start cannot be: a prefix would begin there.
                        let hold = open_start(&data[..end], done, shared.longest, &shared.words);
                        let hold = hold.min(start);
                        out.extend_from_slice(&data[done..hold]);
                        return hold;
                    }
                    Behind::Open | Behind::Bare => from = start + 1,
                }
            }
            let hold = if last {
                data.len()
            } else {
                open_start(data, done, shared.longest, &shared.words)
            };
            out.extend_from_slice(&data[done..hold]);
            return hold;
        }
    }
}

fn behind(mut rest: &[u8]) -> Behind {
    let mut offset = 0;
    while rest.starts_with(MASK) {
        rest = &rest[MASK.len()..];
        offset += MASK.len();
    }
    match rest.first() {
        Some(byte) if is_token_byte(*byte) => Behind::Token(offset),
        _ if MASK.starts_with(rest) => Behind::Open,
        _ => Behind::Bare,
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'=' | b'-')
}

fn run_length(data: &[u8]) -> usize {
    data.iter()
        .position(|byte| !is_token_byte(*byte))
        .unwrap_or(data.len())
}
