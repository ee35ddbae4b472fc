use jiff::{Timestamp, tz::TimeZone};

/// Bytes of a header: time, blank, stream, kind, blank or plus (RUN-LOG-04).
pub(super) const HEADER_BYTES: usize = 32;
/// Pending bytes, header included, and a write without newline go out when they exceed this.
const LONGEST_PENDING: usize = 8192;
/// Where the fraction of a second begins in a header.
const MICROS_AT: usize = 20;

/// Which of a stream's two pipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Out,
    Err,
}

/// Puts a header before each line of one stream (runner.md 9.3).
#[derive(Debug)]
pub(super) struct Stamps {
    header: [u8; HEADER_BYTES],
    /// Second that `header` shows.
    second: Option<i64>,
    /// The line that is not whole yet, with its header; empty between lines.
    pending: Vec<u8>,
    /// The next line continues one that was broken off.
    continues: bool,
}

impl Stamps {
    /// Headers of stream `id` (00 manager, 01 job output, from 0f on services).
    pub(super) fn new(id: u8, kind: Kind) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut header = *b"0000-00-00T00:00:00.000000Z 00O ";
        header[28] = HEX[usize::from(id >> 4)];
        header[29] = HEX[usize::from(id & 0xf)];
        header[30] = match kind {
            Kind::Out => b'O',
            Kind::Err => b'E',
        };
        Stamps {
            header,
            second: None,
            pending: Vec::new(),
            continues: false,
        }
    }

    /// Takes one write of the stream, made at `now`; whole lines go to `out`.
    pub(super) fn write(&mut self, input: &[u8], now: Timestamp, out: &mut Vec<u8>) {
        if input.is_empty() {
            return;
        }
        self.set_time(now);
        let mut from = 0;
        // Enough for lines of common length; shorter ones make `out` grow, which its next use finds done.
        out.reserve(self.pending.len() + input.len() * 2 + HEADER_BYTES + 1);
        for newline in memchr::memchr_iter(b'\n', input) {
            if from == 0 {
                self.begin(out);
                self.continues = false;
            } else {
                out.extend_from_slice(&self.header);
            }
            out.extend_from_slice(&input[from..=newline]);
            from = newline + 1;
        }
        let rest = &input[from..];
        if rest.is_empty() {
            return;
        }
        if self.pending.is_empty() {
            self.pending.extend_from_slice(&self.current_header());
        }
        let length = self.pending.len() + rest.len();
        if length > LONGEST_PENDING || memchr::memchr(b'\r', rest).is_some() {
            self.break_off(rest, out);
        } else {
            self.pending.extend_from_slice(rest);
        }
    }

    /// Breaks the open line off behind `rest`. A character that is not whole yet begins the next line:
    /// a newline within it would make it invalid.
    fn break_off(&mut self, rest: &[u8], out: &mut Vec<u8>) {
        out.append(&mut self.pending);
        let whole = rest.len() - open_character(rest);
        out.extend_from_slice(&rest[..whole]);
        out.push(b'\n');
        self.continues = true;
        if whole < rest.len() {
            self.pending.extend_from_slice(&self.current_header());
            self.pending.extend_from_slice(&rest[whole..]);
        }
    }

    /// The stream is over: an open line gets its newline.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        if !self.pending.is_empty() {
            out.append(&mut self.pending);
            out.push(b'\n');
        }
    }

    /// The start of the line that ends next: what is pending of it, or a header.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.pending.is_empty() {
            out.extend_from_slice(&self.current_header());
        } else {
            out.append(&mut self.pending);
        }
    }

    fn current_header(&self) -> [u8; HEADER_BYTES] {
        let mut header = self.header;
        if self.continues {
            header[HEADER_BYTES - 1] = b'+';
        }
        header
    }

    /// Writes `now` into the header; date and clock only when the second changed.
    fn set_time(&mut self, now: Timestamp) {
        let second = now.as_second();
        if self.second != Some(second) {
            self.second = Some(second);
            let time = TimeZone::UTC.to_datetime(now);
            let year = u32::try_from(time.year()).unwrap_or_default();
            digits(&mut self.header[0..4], year);
            for (at, value) in [
                (5, time.month()),
                (8, time.day()),
                (11, time.hour()),
                (14, time.minute()),
                (17, time.second()),
            ] {
                digits(&mut self.header[at..at + 2], value.unsigned_abs().into());
            }
        }
        let micros = now.subsec_nanosecond().unsigned_abs() / 1000;
        digits(&mut self.header[MICROS_AT..MICROS_AT + 6], micros);
    }
}

/// How many bytes at the end of `text` are the start of a character whose rest must still come.
fn open_character(text: &[u8]) -> usize {
    (1..=text.len().min(3))
        .find(|count| {
            let tail = &text[text.len() - count..];
            let starts = tail[0] >= 0xc2;
            starts && std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none())
        })
        .unwrap_or(0)
}

/// Writes `value` in decimal over all of `place`.
fn digits(place: &mut [u8], mut value: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}
