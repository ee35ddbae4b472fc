use super::phrases::PhraseSet;
use super::tokens::TokenSet;

/// Prefixes beyond this many are not used (RUN-LOG-08).
pub const MAX_TOKEN_PREFIXES: usize = 15;

/// What takes the place of a secret.
pub(super) const MASK: &[u8] = b"[MASKED]";

/// What must not appear in a log (runner.md 9.4). Built once for a job, shared by its streams.
#[derive(Clone, Debug, Default)]
pub struct Masks {
    pub(super) phrases: Option<PhraseSet>,
    pub(super) tokens: Option<TokenSet>,
}

impl Masks {
    /// Masks for the values `phrases` (trimmed, empty ones dropped) and for whatever follows one of
    /// `token_prefixes`, of which the first 15 by length and alphabet are used. The six URL parameters
    /// are always masked.
    pub fn new<P, T>(phrases: P, token_prefixes: T) -> Self
    where
        P: IntoIterator,
        P::Item: AsRef<str>,
        T: IntoIterator,
        T::Item: AsRef<str>,
    {
        let phrases: Vec<String> = phrases
            .into_iter()
            .map(|phrase| phrase.as_ref().trim().to_owned())
            .collect();
        let tokens: Vec<String> = token_prefixes
            .into_iter()
            .map(|prefix| prefix.as_ref().trim().to_owned())
            .collect();
        Masks {
            phrases: PhraseSet::new(phrases),
            tokens: TokenSet::new(tokens),
        }
    }
}

/// Bytes that a stage holds back, joined with those that came next.
///
/// A stage looks at `held ++ input`; when nothing is held, it looks at the input where it lies.
pub(super) fn joined<'a>(held: &'a mut Vec<u8>, input: &'a [u8]) -> &'a [u8] {
    if held.is_empty() {
        input
    } else {
        held.extend_from_slice(input);
        held
    }
}

/// The first position from `from` on where the rest of `data` is the start of one of `words`, but not
/// the whole of it: what comes next may complete it.
pub(super) fn open_start(data: &[u8], from: usize, longest: usize, words: &FirstBytes) -> usize {
    let from = from.max(data.len().saturating_sub(longest.saturating_sub(1)));
    (from..data.len())
        .find(|start| words.starts_open(&data[*start..]))
        .unwrap_or(data.len())
}

/// Words, to be found by their first byte.
#[derive(Clone, Debug)]
pub(super) struct FirstBytes {
    /// Whether a word begins with the byte.
    begins: [bool; 256],
    /// In order.
    words: Box<[Box<[u8]>]>,
}

impl FirstBytes {
    pub(super) fn new<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut words: Vec<Box<[u8]>> = words.into_iter().map(Into::into).collect();
        words.sort_unstable();
        let mut begins = [false; 256];
        for first in words.iter().filter_map(|word| word.first()) {
            begins[usize::from(*first)] = true;
        }
        FirstBytes {
            begins,
            words: words.into(),
        }
    }

    /// Whether `rest` is the start of a word, but not the whole of it.
    fn starts_open(&self, rest: &[u8]) -> bool {
        let Some(first) = rest.first() else {
            return false;
        };
        if !self.begins[usize::from(*first)] {
            return false;
        }
        // Words that begin with `rest` stand together, behind all that are less than it.
        let from = self.words.partition_point(|word| **word < *rest);
        self.words[from..]
            .iter()
            .take_while(|word| word.starts_with(rest))
            .any(|word| word.len() > rest.len())
    }
}
