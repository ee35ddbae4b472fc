//! Jumping over text in which no phrase begins.

/// Most bytes of a phrase that are looked at, so that a jump fits a byte.
const MOST: usize = 256;

/// Where phrases may begin, by two bytes at a time (Wu and Manber's bad block rule).
///
/// A window as long as the shortest phrase lies over the text. Its last two bytes say how far it may
/// move before they can be part of a phrase's start; where that is 0, a phrase may begin at the window's
/// first byte. Long phrases make long jumps, so most bytes are never looked at.
#[derive(Debug)]
pub(super) struct Skip {
    window: usize,
    jumps: Box<[u8]>,
}

impl Skip {
    /// For these phrases; `None` if one is shorter than two bytes, or there is none.
    pub(super) fn new<'a>(phrases: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Self> {
        let window = phrases.clone().map(<[u8]>::len).min()?.min(MOST);
        if window < 2 {
            return None;
        }
        let farthest = (window - 1) as u8;
        let mut jumps = vec![farthest; 1 << 16].into_boxed_slice();
        for phrase in phrases {
            for (at, pair) in phrase[..window].windows(2).enumerate() {
                let jump = &mut jumps[block(pair[0], pair[1])];
                *jump = (*jump).min((window - 2 - at) as u8);
            }
        }
        Some(Skip { window, jumps })
    }

    /// The first position from `from` on where a phrase that lies whole in `data` may begin.
    pub(super) fn next(&self, data: &[u8], from: usize) -> Option<usize> {
        let mut end = from + self.window;
        while end <= data.len() {
            let jump = self.jumps[block(data[end - 2], data[end - 1])];
            if jump == 0 {
                return Some(end - self.window);
            }
            end += usize::from(jump);
        }
        None
    }
}

fn block(first: u8, second: u8) -> usize {
    usize::from(u16::from_le_bytes([first, second]))
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
        /// Goal: no start of a phrase is jumped over.
        #[test]
        fn jumps_over_no_start(
            phrases in proptest::collection::vec("[a-c]{2,6}", 1..5),
            text in "[a-d]{0,40}",
        ) {
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
