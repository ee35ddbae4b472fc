//! Chance, from one seeded generator that is passed around, so that a run can be repeated.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// A shared generator.
#[derive(Clone, Debug)]
pub struct Random(Arc<Mutex<ChaCha12Rng>>);

impl Random {
    /// A generator that gives the same numbers for the same seed, on any machine.
    pub fn from_seed(seed: u64) -> Self {
        Random(Arc::new(Mutex::new(ChaCha12Rng::seed_from_u64(seed))))
    }

    /// A generator seeded by the operating system.
    pub fn from_os() -> Self {
        Random(Arc::new(Mutex::new(
            ChaCha12Rng::from_rng(&mut rand::rng()),
        )))
    }

    /// Runs `draw` with the generator.
    pub fn with<T>(&self, draw: impl FnOnce(&mut dyn Rng) -> T) -> T {
        // A panic while drawing leaves the generator usable.
        let mut generator = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        draw(&mut *generator)
    }

    /// `bytes` random bytes in lower-case hex.
    pub fn hex(&self, bytes: usize) -> String {
        self.with(|generator| {
            let mut text = String::with_capacity(bytes * 2);
            for _ in 0..bytes {
                let byte: u8 = generator.random();
                let _ = write!(text, "{byte:02x}");
            }
            text
        })
    }

    /// A correlation id: a version 4 UUID without dashes (WIRE-CON-06).
    pub fn request_id(&self) -> String {
        let mut bytes: [u8; 16] = self.with(|generator| generator.random());
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        bytes
            .iter()
            .fold(String::with_capacity(32), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    }

    /// A duration between `low` and `high`, both included.
    pub fn between(&self, low: Duration, high: Duration) -> Duration {
        if high <= low {
            return low;
        }
        let nanos = self.with(|g| g.random_range(low.as_nanos() as u64..=high.as_nanos() as u64));
        Duration::from_nanos(nanos)
    }
}
