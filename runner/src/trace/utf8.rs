/// U+FFFD, as each byte of an invalid sequence becomes (RUN-LOG-10).
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Turns bytes into valid UTF-8. Sequences split over writes are joined.
#[derive(Debug, Default)]
pub(super) struct Utf8Repair {
    /// Start of a sequence that may still become whole: at most three bytes.
    pending: Vec<u8>,
}

impl Utf8Repair {
    /// Passes `input` on, repaired: `out` gets valid UTF-8.
    pub(super) fn write(&mut self, input: &[u8], out: &mut impl FnMut(&[u8])) {
        if self.pending.is_empty() {
            self.scan(input, out);
            return;
        }
        // At most three bytes wait, and four more decide about them: what is still open after that
        // began in `input`.
        let take = input.len().min(4);
        let mut joined = std::mem::take(&mut self.pending);
        joined.extend_from_slice(&input[..take]);
        self.scan(&joined, out);
        if take < input.len() {
            let open = self.pending.len();
            self.pending.clear();
            self.scan(&input[take - open..], out);
        }
    }

    /// The input is over: an open sequence is invalid.
    pub(super) fn close(&mut self, out: &mut impl FnMut(&[u8])) {
        for _ in 0..self.pending.len() {
            out(REPLACEMENT);
        }
        self.pending.clear();
    }

    fn scan(&mut self, input: &[u8], out: &mut impl FnMut(&[u8])) {
        // Nearly all output is ASCII, or valid at least, and to see that is much faster than to go through
        // it in chunks.
        if input.is_ascii() || std::str::from_utf8(input).is_ok() {
            if !input.is_empty() {
                out(input);
            }
            return;
        }
        let mut done = 0;
        for chunk in input.utf8_chunks() {
            if !chunk.valid().is_empty() {
                out(chunk.valid().as_bytes());
            }
            let invalid = chunk.invalid();
            done += chunk.valid().len() + invalid.len();
            let open = done == input.len()
                && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if open {
                self.pending.extend_from_slice(invalid);
                return;
            }
            // Go looks at one byte after the other: each byte of the sequence is replaced.
            for _ in invalid {
                out(REPLACEMENT);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repaired(writes: &[&[u8]]) -> Vec<u8> {
        let mut repair = Utf8Repair::default();
        let mut seen = Vec::new();
        let mut out = |text: &[u8]| seen.extend_from_slice(text);
        for write in writes {
            repair.write(write, &mut out);
        }
        repair.close(&mut out);
        seen
    }

    /// Proves RUN-LOG-10.
    ///
    /// Goal: bytes of invalid sequences become one U+FFFD each; split sequences are joined
    /// (recording `output-shapes`).
    #[test]
    fn repairs() {
        let cases: [(&[&[u8]], &str); 7] = [
            (&[b"\xe2\x82", b"\xac euro"], "€ euro"),
            (&[b"bad \xff\xfe bytes"], "bad \u{fffd}\u{fffd} bytes"),
            (&[b"\xe2\x82", b"x"], "\u{fffd}\u{fffd}x"),
            (&[b"\xe2\x82"], "\u{fffd}\u{fffd}"),
            (&[b"\xf0", b"\x9f", b"\x98", b"\x80"], "😀"),
            (&[b"\xed\xa0\x80"], "\u{fffd}\u{fffd}\u{fffd}"),
            (
                &[b"\xf0\x9f", b"\x98\xf0\x9f\x98\x80 and more"],
                "\u{fffd}\u{fffd}\u{fffd}😀 and more",
            ),
        ];
        for (writes, expected) in cases {
            assert_eq!(String::from_utf8(repaired(writes)).unwrap(), expected);
        }
    }

    proptest! {
        /// Proves RUN-LOG-10.
        ///
        /// Goal: any bytes become valid UTF-8, the same for every split into writes.
        #[test]
        fn splits_do_not_matter(
            bytes in proptest::collection::vec(
                prop_oneof![any::<u8>(), Just(0xe2u8), Just(0x82), Just(0xac), Just(0xf0), Just(0x9f), Just(0x80), Just(b'a')],
                0..60,
            ),
            cuts in proptest::collection::vec(0usize..60, 0..8),
        ) {
            let whole = repaired(&[&bytes]);
            prop_assert!(std::str::from_utf8(&whole).is_ok());
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(0);
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(repaired(&parts), whole);
        }
    }
}
