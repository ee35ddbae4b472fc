use jiff::Timestamp;

use super::masks::Masks;
use super::phrases::PhraseMasker;
use super::stamps::Stamps;
use super::tokens::TokenMasker;
use super::url::UrlMasker;

/// The stages of one stream: phrases, URL parameters, token prefixes, timestamps (runner.md 9.4).
#[derive(Debug)]
pub(super) struct Pipeline {
    phrases: Option<PhraseMasker>,
    url: UrlMasker,
    tokens: Option<TokenMasker>,
    stamps: Option<Stamps>,
    buffers: [Vec<u8>; 4],
}

impl Pipeline {
    pub(super) fn new(masks: &Masks, stamps: Option<Stamps>) -> Self {
        Pipeline {
            phrases: masks.phrases.clone().map(PhraseMasker::new),
            url: UrlMasker::default(),
            tokens: masks.tokens.clone().map(TokenMasker::new),
            stamps,
            buffers: Default::default(),
        }
    }

    /// Takes one write; gives what may go out now. `now` is asked only for what gets a timestamp.
    pub(super) fn write<'a>(
        &'a mut self,
        input: &'a [u8],
        now: impl FnOnce() -> Timestamp,
    ) -> &'a [u8] {
        self.pass(input, false, now)
    }

    /// The stream is over: gives what was held back.
    pub(super) fn close(&mut self, now: impl FnOnce() -> Timestamp) -> &[u8] {
        self.pass(&[], true, now)
    }

    fn pass<'a>(
        &'a mut self,
        input: &'a [u8],
        last: bool,
        now: impl FnOnce() -> Timestamp,
    ) -> &'a [u8] {
        let [phrases_out, url_out, tokens_out, stamps_out] = &mut self.buffers;
        let mut bytes = input;
        if let Some(phrases) = &mut self.phrases {
            bytes = phrases.write(bytes, last, phrases_out);
        }
        bytes = self.url.write(bytes, last, url_out);
        if let Some(tokens) = &mut self.tokens {
            bytes = tokens.write(bytes, last, tokens_out);
        }
        if let Some(stamps) = &mut self.stamps {
            stamps_out.clear();
            if !bytes.is_empty() {
                stamps.write(bytes, now(), stamps_out);
            }
            if last {
                stamps.close(stamps_out);
            }
            bytes = stamps_out;
        }
        bytes
    }
}
