//! `POST /jobs/request`: scope and order, then the walk (queueing.md 2-6).

use jiff::Timestamp;
use protocol::JobRequest;

use super::JobId;
use super::answer::PollAnswer;
use super::core::World;
use super::text::Text;

/// A poll whose order is fixed but that has not walked it yet. Between the two other polls may take
/// jobs: that is how a race looks (QUE-V16, QUE-V17).
#[derive(Debug)]
pub enum PendingRequest {
    /// Answered without reading the queue.
    Answered(PollAnswer),
    /// The order is fixed.
    Walk {
        /// The poll's body, as sent.
        request: Box<JobRequest>,
        /// Address of the runner.
        peer: String,
        /// Candidates in order, at most one more than are examined.
        candidates: Vec<JobId>,
    },
}

impl World {
    /// A whole poll. `peer` is the address of the runner, stored with its manager.
    pub fn request_job(&mut self, now: Timestamp, request: &JobRequest, peer: &str) -> PollAnswer {
        let pending = self.begin_request(now, request, peer);
        self.finish_request(now, pending)
    }

    /// First half of a poll: authentication, heartbeat, `last_update`, scope and order.
    pub fn begin_request(
        &mut self,
        _now: Timestamp,
        _request: &JobRequest,
        _peer: &str,
    ) -> PendingRequest {
        todo!()
    }

    /// Second half of a poll: walks the order and assigns.
    pub fn finish_request(&mut self, _now: Timestamp, _pending: PendingRequest) -> PollAnswer {
        todo!()
    }

    /// The current `last_update` value of the runner with this token, as a front end that holds polls
    /// (long polling, queueing.md 7) compares it. `None` for an unknown token.
    pub fn queue_value(&mut self, _now: Timestamp, _token: &str) -> Option<Text> {
        todo!()
    }
}
