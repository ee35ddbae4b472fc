//! Jumping over text in which no phrase begins.

/// Most bytes of a phrase that are looked at, so that a jump fits a byte.
const MOST: usize = 256;
/// Up to so many pairs of bytes share [`SMALL`] places: most of these stay free, and hundreds of jobs with
/// a secret or two need not 64 KiB each.
const FEW_PAIRS: usize = 512;
const SMALL: usize = 1 << 12;

/// Where phrases may begin, by two bytes at a time (Wu and Manber's bad block rule).
///
/// A window as long as the shortest phrase lies over the text. Its last two bytes say how far it may
/// move before they can be part of a phrase's start; where that is 0, a phrase may begin at the window's
/// first byte. Long phrases make long jumps, so most bytes are never looked at.
#[derive(Debug)]
pub(super) struct Skip {
    window: usize,
    /// By [`Skip::place`] of two bytes. Where two pairs share a place, the shorter jump stands there.
    jumps: Box<[u8]>,
    factor: u16,
    shift: u32,
}

impl Skip {
    /// For these phrases; `None` if one is shorter than two bytes, or there is none.
    pub(super) fn new<'a>(phrases: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Self> {
        let window = phrases.clone().map(<[u8]>::len).min()?.min(MOST);
        if window < 2 {
            return None;
        }
        let farthest = (window - 1) as u8;
        let is_small = phrases.clone().count() * (window - 1) <= FEW_PAIRS;
        let places: usize = if is_small { SMALL } else { 1 << 16 };
        let mut skip = Skip {
            window,
            jumps: vec![farthest; places].into_boxed_slice(),
            // Spreads what differs in a few bits only, as letters do.
            factor: if is_small { 0x9e37 } else { 1 },
            shift: 16 - places.trailing_zeros(),
        };
        for phrase in phrases {
            for (at, pair) in phrase[..window].windows(2).enumerate() {
                let place = skip.place(pair[0], pair[1]);
                skip.jumps[place] = skip.jumps[place].min((window - 2 - at) as u8);
            }
        }
        Some(skip)
    }

    /// The first position from `from` on where a phrase that lies whole in `data` may begin.
    pub(super) fn next(&self, data: &[u8], from: usize) -> Option<usize> {
        let mut end = from + self.window;
        while end <= data.len() {
            let jump = self.jumps[self.place(data[end - 2], data[end - 1])];
            if jump == 0 {
                return Some(end - self.window);
            }
            end += usize::from(jump);
        }
        None
    }

    fn place(&self, first: u8, second: u8) -> usize {
        let pair = u16::from_le_bytes([first, second]);
        usize::from(pair.wrapping_mul(self.factor) >> self.shift)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn needs_two_bytes() {
        let skip = |phrases: &[&'static str]| {
            Skip::new(phrases.iter().copied().map(str::as_bytes)).is_some()
        };
        assert!(!skip(&[]));
        assert!(!skip(&["long enough", "x"]));
        assert!(skip(&["ab"]));
    }

    proptest! {
        /// Goal: no start of a phrase is jumped over, with few pairs of bytes and with many.
        #[test]
        fn jumps_over_no_start(
            mut phrases in proptest::collection::vec("[a-c]{2,6}", 1..5),
            many in any::<bool>(),
            text in "[a-d]{0,40}",
        ) {
            if many {
                phrases.extend((0..FEW_PAIRS).map(|number| format!("{number:04}-{number:04}")));
            }
            let skip = Skip::new(phrases.iter().map(String::as_bytes)).expect("two bytes");
            let mut from = 0;
            let mut seen = Vec::new();
            while let Some(at) = skip.next(text.as_bytes(), from) {
                seen.push(at);
                from = at + 1;
            }
            for start in 0..text.len() {
                let begins = phrases.iter().any(|phrase| text[start..].starts_with(phrase.as_str()));
                prop_assert!(!begins || seen.contains(&start), "{start} in {text:?}");
            }
        }
    }
}
