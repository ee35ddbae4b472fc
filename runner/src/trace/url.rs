use super::masks::{MASK, joined};

/// Parameters whose values are masked (RUN-LOG-07), in lower case.
const PARAMETERS: [&str; 6] = [
    "private_token",
    "authenticity_token",
    "rss_token",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
];

/// Masks values of URL parameters in one stream: after `?` or `&`, up to the next of these, white space
/// or control character. An empty value is masked too.
#[derive(Debug, Default)]
pub(super) struct UrlMasker {
    held: Vec<u8>,
    /// The mask is out, and the value goes on.
    in_value: bool,
}

/// What stands behind a `?` or `&`.
enum Name {
    /// A parameter to mask; its `=` is so many bytes behind the separator.
    Secret(usize),
    /// Something else.
    Other,
    /// More bytes must come.
    Open,
}

impl UrlMasker {
    /// Masks `input`: the answer is the input itself where nothing changes, else `out`, filled.
    pub(super) fn write<'a>(
        &mut self,
        input: &'a [u8],
        last: bool,
        out: &'a mut Vec<u8>,
    ) -> &'a [u8] {
        if self.held.is_empty() && !self.in_value && memchr::memchr2(b'?', b'&', input).is_none() {
            return input;
        }
        out.clear();
        let mut held = std::mem::take(&mut self.held);
        let data = joined(&mut held, input);
        let rest = self.scan(data, last, out);
        self.held.extend_from_slice(&data[rest..]);
        out
    }

    /// Masks `data` into `out`; answers where the bytes begin that must wait.
    fn scan(&mut self, data: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        let mut done = 0;
        loop {
            if self.in_value {
                let value = &data[done..];
                let (length, ended) = value_length(value, last);
                done += length;
                if !ended {
                    return done;
                }
                self.in_value = false;
            }
            let mut from = done;
            loop {
                let Some(found) = memchr::memchr2(b'?', b'&', &data[from..]) else {
                    out.extend_from_slice(&data[done..]);
                    return data.len();
                };
                let at = from + found;
                match name(&data[at + 1..]) {
                    Name::Secret(length) => {
                        let end = at + 1 + length;
                        out.extend_from_slice(&data[done..end]);
                        out.extend_from_slice(MASK);
                        self.in_value = true;
                        done = end;
                        break;
                    }
                    Name::Open if !last => {
                        out.extend_from_slice(&data[done..at]);
                        return at;
                    }
                    Name::Open | Name::Other => from = at + 1,
                }
            }
        }
    }
}

fn name(behind: &[u8]) -> Name {
    let mut answer = Name::Other;
    for parameter in PARAMETERS {
        let length = parameter.len().min(behind.len());
        if !parameter.as_bytes()[..length].eq_ignore_ascii_case(&behind[..length]) {
            continue;
        }
        match behind.get(parameter.len()) {
            Some(b'=') => return Name::Secret(parameter.len() + 1),
            Some(_) => {}
            None => answer = Name::Open,
        }
    }
    answer
}

/// How many bytes of `data` belong to a value, and whether the value ends there. An open character at
/// the end is left for later.
fn value_length(data: &[u8], last: bool) -> (usize, bool) {
    let mut at = 0;
    for chunk in data.utf8_chunks() {
        let valid = chunk.valid();
        let end =
            valid.find(|c: char| matches!(c, '?' | '&') || c.is_whitespace() || c.is_control());
        if let Some(end) = end {
            return (at + end, true);
        }
        at += valid.len();
        let invalid = chunk.invalid();
        let open = at + invalid.len() == data.len()
            && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        if open && !last {
            return (at, false);
        }
        at += invalid.len();
    }
    (at, false)
}
