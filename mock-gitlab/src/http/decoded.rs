//! Polls that were decoded lately.
//!
//! A runner that idles sends the same bytes every few seconds; only `last_update` ever changes in them.
//! Such a body is compared, not decoded again.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use protocol::JobRequest;

/// How many polls are kept.
const SLOTS: usize = 1024;
/// Longer bodies are not kept, so that memory has a bound of a few MiB. Those of real runners have 1 to
/// 2 KiB.
const LONGEST: usize = 4096;

/// A body and what it says.
type Slot = Mutex<Option<(Bytes, Arc<JobRequest>)>>;

/// A table with one slot for each checksum modulo its size: a look costs one pass over the body and one
/// comparison, whatever is kept. A newer body takes the slot of an older one.
pub(super) struct DecodedPolls(Box<[Slot]>);

impl Default for DecodedPolls {
    fn default() -> Self {
        DecodedPolls((0..SLOTS).map(|_| Slot::default()).collect())
    }
}

impl DecodedPolls {
    fn slot(&self, body: &[u8]) -> Option<&Slot> {
        if body.len() > LONGEST {
            return None;
        }
        self.0.get(crc32fast::hash(body) as usize % self.0.len())
    }

    /// What these bytes say, if they came lately.
    pub(super) fn get(&self, body: &[u8]) -> Option<Arc<JobRequest>> {
        let slot = self.slot(body)?.lock();
        let slot = slot.unwrap_or_else(PoisonError::into_inner);
        let (bytes, poll) = slot.as_ref()?;
        (bytes == body).then(|| Arc::clone(poll))
    }

    /// Keeps what these bytes say.
    pub(super) fn keep(&self, body: &[u8], poll: &Arc<JobRequest>) {
        if let Some(slot) = self.slot(body) {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            // A copy: the bytes at hand may be a part of a connection's buffer.
            *slot = Some((Bytes::copy_from_slice(body), Arc::clone(poll)));
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
        // Many more than there are slots, so that most slots are taken several times.
        let count = SLOTS * 4;
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
        assert!((1..=SLOTS).contains(&still), "{still} are kept");
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
