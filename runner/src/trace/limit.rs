/// What the limit lets through of a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed<'a> {
    /// All of it.
    All,
    /// A piece, then the notice; from now on nothing.
    Cut {
        /// The piece.
        head: &'a [u8],
        /// Text that ends the log.
        notice: String,
    },
    /// Nothing: the limit was reached before.
    Nothing,
}

/// `output_limit` (runner.md 6): the write that reaches it is cut, and everything later is dropped.
#[derive(Debug)]
pub(super) struct Limit {
    allowed: u64,
    written: u64,
    reached: bool,
}

impl Limit {
    pub(super) fn new(limit_bytes: u64) -> Self {
        Limit {
            allowed: limit_bytes,
            written: 0,
            reached: false,
        }
    }

    /// Whether nothing passes any more.
    pub(super) fn is_reached(&self) -> bool {
        self.reached
    }

    /// Judges `text`, which is valid UTF-8 and is cut only between characters.
    pub(super) fn pass<'a>(&mut self, text: &'a [u8]) -> Passed<'a> {
        if self.reached {
            return Passed::Nothing;
        }
        let room = self.allowed.saturating_sub(self.written);
        if (text.len() as u64) < room {
            self.written += text.len() as u64;
            return Passed::All;
        }
        self.reached = true;
        let mut end = text.len().min(room as usize);
        while text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
            end -= 1;
        }
        let head = &text[..end];
        let notice = format!(
            "\n\u{1b}[33;1mJob's log exceeded limit of {} bytes.\n\
             Job execution will continue but no more output will be collected.\u{1b}[0;m\n",
            self.allowed
        );
        Passed::Cut { head, notice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that passes of `writes`.
    fn limited(limit: u64, writes: &[&str]) -> String {
        let mut state = Limit::new(limit);
        let mut seen = Vec::new();
        for write in writes {
            match state.pass(write.as_bytes()) {
                Passed::All => seen.extend_from_slice(write.as_bytes()),
                Passed::Cut { head, notice } => {
                    seen.extend_from_slice(head);
                    seen.extend_from_slice(notice.as_bytes());
                }
                Passed::Nothing => assert!(state.is_reached()),
            }
        }
        String::from_utf8(seen).expect("cut between characters")
    }

    /// Proves RUN-LOG-09.
    ///
    /// Goal: the notice of the recordings `limits` and `output-limit` follows a cut at a character's
    /// edge; nothing follows the notice.
    #[test]
    fn cut_and_notice() {
        let notice = |limit: u64| {
            format!(
                "\n\x1b[33;1mJob's log exceeded limit of {limit} bytes.\nJob execution will continue but \
                 no more output will be collected.\x1b[0;m\n"
            )
        };
        for (limit, writes, head) in [
            (10, vec!["123456789"], Some("123456789")),
            (10, vec!["123456789", "0"], None),
            (10, vec!["12345678901", "x"], None),
            (10, vec!["1234567", "8901", "x", "y"], None),
        ] {
            let expected =
                head.map_or_else(|| format!("1234567890{}", notice(limit)), str::to_owned);
            assert_eq!(limited(limit, &writes), expected);
        }
        for (limit, kept) in [(6, 2), (7, 2), (8, 2), (9, 3)] {
            let expected = format!("{}{}", "漢".repeat(kept), notice(limit));
            assert_eq!(limited(limit, &["漢漢漢漢", "x"]), expected);
        }
    }
}
