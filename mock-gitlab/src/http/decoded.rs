//! Polls that were decoded lately.
//!
//! A runner that idles sends the same bytes every few seconds; only `last_update` ever changes in them.
//! Such a body is compared, not decoded again.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use protocol::JobRequest;

/// How many sets of polls are kept.
const SETS: usize = 1024;
/// Polls in a set. Two, so that the polls of some hundred runners hardly ever drive each other out.
const WAYS: usize = 2;
/// Longer bodies are not kept, so that memory has a bound of a few MiB. Those of real runners have 1 to
/// 2 KiB.
const LONGEST: usize = 4096;

/// A body and what it says.
type Decoded = (Bytes, Arc<JobRequest>);

/// Bodies with one checksum modulo the size of the table, the newest first.
type Set = Mutex<[Option<Decoded>; WAYS]>;

/// A table of sets: a look costs one pass over the body and at most [`WAYS`] comparisons, whatever is kept.
/// A new body drives out the oldest of its set.
pub(super) struct DecodedPolls(Box<[Set]>);

impl Default for DecodedPolls {
    fn default() -> Self {
        DecodedPolls((0..SETS).map(|_| Set::default()).collect())
    }
}

impl DecodedPolls {
    fn set(&self, body: &[u8]) -> Option<&Set> {
        if body.len() > LONGEST {
            return None;
        }
        self.0.get(crc32fast::hash(body) as usize % self.0.len())
    }

    /// What these bytes say, if they came lately.
    pub(super) fn get(&self, body: &[u8]) -> Option<Arc<JobRequest>> {
        let set = self.set(body)?.lock();
        let set = set.unwrap_or_else(PoisonError::into_inner);
        let mut kept = set.iter().flatten();
        let (_, poll) = kept.find(|(bytes, _)| bytes == body)?;
        Some(Arc::clone(poll))
    }

    /// Keeps what these bytes say.
    pub(super) fn keep(&self, body: &[u8], poll: &Arc<JobRequest>) {
        if let Some(set) = self.set(body) {
            let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
            set.rotate_right(1);
            // A copy: the bytes at hand may be a part of a connection's buffer.
            set[0] = Some((Bytes::copy_from_slice(body), Arc::clone(poll)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(token: &str) -> Arc<JobRequest> {
        Arc::new(JobRequest {
            token: token.to_owned(),
            ..JobRequest::default()
        })
    }

    /// Goal: whatever is kept, bytes only ever give what was kept for exactly these bytes.
    #[test]
    fn bytes_give_what_they_say() {
        let polls = DecodedPolls::default();
        let body = |number: usize| format!("{{\"token\":\"{number}\"}}").into_bytes();
        // Many more than there are places, so that most places are taken several times.
        let count = SETS * WAYS * 4;
        for number in 0..count {
            assert!(polls.get(&body(number)).is_none());
            polls.keep(&body(number), &poll(&number.to_string()));
            let kept = polls.get(&body(number)).map(|poll| poll.token.clone());
            assert_eq!(kept, Some(number.to_string()));
        }
        let mut still = 0;
        for number in 0..count {
            if let Some(poll) = polls.get(&body(number)) {
                assert_eq!(poll.token, number.to_string());
                still += 1;
            }
        }
        assert!((1..=SETS * WAYS).contains(&still), "{still} are kept");
    }

    /// Goal: a long body is not kept.
    #[test]
    fn long_bodies_are_not_kept() {
        let polls = DecodedPolls::default();
        let body = vec![b' '; LONGEST + 1];
        polls.keep(&body, &poll("x"));
        assert!(polls.get(&body).is_none());
    }
}
