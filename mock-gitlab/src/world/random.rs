//! A generator as a value.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Where a generator stands: what it draws from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RandomState {
    seed: [u8; 32],
    stream: u64,
    /// A number of 68 bit, which JSON does not have.
    word: String,
}

impl RandomState {
    pub(crate) fn of(random: &ChaCha8Rng) -> RandomState {
        RandomState {
            seed: random.get_seed(),
            stream: random.get_stream(),
            word: random.get_word_pos().to_string(),
        }
    }

    /// The generator; `None` if `word` is no position.
    pub(crate) fn generator(&self) -> Option<ChaCha8Rng> {
        /// Words that a generator has (2 to the 68).
        const WORDS: u128 = 1 << 68;
        let word = self.word.parse().ok().filter(|word| *word < WORDS)?;
        let mut random = ChaCha8Rng::from_seed(self.seed);
        random.set_stream(self.stream);
        random.set_word_pos(word);
        Some(random)
    }
}
