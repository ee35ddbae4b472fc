use std::time::Duration;

/// First wait.
const FIRST: Duration = Duration::from_secs(5);
/// Longest wait.
const LONGEST: Duration = Duration::from_mins(5);
/// Without `FF_USE_EXPONENTIAL_BACKOFF_STAGE_RETRY`: first and longest wait.
const SHORT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// Waits between the attempts of a stage: doubling (RUN-JOB-09).
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) fn new(exponential: bool) -> Self {
        let (next, longest) = if exponential { (FIRST, LONGEST) } else { SHORT };
        Backoff { next, longest }
    }

    /// The wait before the next attempt.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (self.next * 2).min(self.longest);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves RUN-JOB-09.
    #[test]
    fn doubles_up_to_five_minutes() {
        let mut backoff = Backoff::new(true);
        let waits: Vec<u64> = (0..9).map(|_| backoff.next().as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        let mut short = Backoff::new(false);
        let waits: Vec<u64> = (0..5).map(|_| short.next().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }
}
