//! Slots, limits and ids of the pure scheduler.

use std::sync::Arc;
use std::time::Duration;

use super::{ConcurrentIds, Decision, Entry, Plan, PollEnd, Scheduler, Skip, Ticket};

const JOB: PollEnd = PollEnd {
    got_job: true,
    back_pressured: false,
};
const NOTHING: PollEnd = PollEnd {
    got_job: false,
    back_pressured: false,
};
const PRESSED: PollEnd = PollEnd {
    got_job: true,
    back_pressured: true,
};

fn entry(token: &str, request_concurrency: u32) -> Entry<()> {
    Entry {
        request_concurrency,
        ..Entry::new("http://h", token, ())
    }
}

/// A scheduler that the test leads second by second, with one feed each second.
struct Led {
    scheduler: Scheduler<()>,
    second: u64,
}

impl Led {
    fn new(concurrent: usize, entry: Entry<()>) -> Led {
        let mut scheduler = Scheduler::new();
        let plan = Plan {
            concurrent,
            check_interval: Some(Duration::from_secs(1)),
            entries: vec![entry],
        };
        scheduler.start(plan, Duration::ZERO);
        Led {
            scheduler,
            second: 0,
        }
    }

    fn now(&self) -> Duration {
        Duration::from_secs(self.second)
    }

    /// What the next feed brought: a poll, or why not.
    fn feed(&mut self) -> Result<Ticket, Skip> {
        if self.second > 0 {
            self.scheduler.advance(self.now());
        }
        self.second += 1;
        let decisions = self.scheduler.take_decisions();
        let mut brought = decisions.iter().filter_map(|decision| match decision {
            Decision::Poll { ticket, .. } => Some(Ok(*ticket)),
            Decision::Skipped { why, .. } => Some(Err(*why)),
            _ => None,
        });
        brought.next().expect("a feed")
    }

    /// A poll that ends at once, and whose job, if any, does too.
    fn poll(&mut self, end: PollEnd) {
        let ticket = self.feed().expect("a poll");
        self.scheduler.request_over(ticket, end);
        self.scheduler.done(ticket, self.now());
    }
}

/// Goal: the limit starts at 1; a job raises it by a tenth, an empty answer lowers it by a twentieth,
/// back-pressure halves it, whatever came; it stays within 1 and `request_concurrency`.
///
/// Proves RUN-SCH-07.
#[test]
fn the_adaptive_limit() {
    let entry = entry("t", 4);
    let mut led = Led::new(9, entry.clone());
    assert_eq!(led.scheduler.request_limit(&entry), 1);
    for (end, limit, whole) in [
        (NOTHING, 1.0, 1),
        (JOB, 1.1, 2),
        (JOB, 1.21, 2),
        (NOTHING, 1.1495, 2),
        (PRESSED, 1.0, 1),
        (JOB, 1.1, 2),
        (JOB, 1.21, 2),
        (JOB, 1.331, 2),
        (JOB, 1.4641, 2),
        (JOB, 1.610_51, 2),
        (JOB, 1.771_561, 2),
        (JOB, 1.948_717_1, 2),
        (JOB, 2.143_588_81, 3),
        (PRESSED, 1.071_794_405, 2),
    ] {
        led.poll(end);
        let seen = led.scheduler.adaptive_limit("t");
        assert!((seen - limit).abs() < 1e-9, "{seen} instead of {limit}");
        assert_eq!(led.scheduler.request_limit(&entry), whole, "{limit}");
    }
    for _ in 0..40 {
        led.poll(JOB);
    }
    assert_eq!(led.scheduler.request_limit(&entry), 4);
    assert!(led.scheduler.adaptive_limit("t") <= 4.0);

    // Without the flag, the configured number counts from the start.
    let fixed = Entry {
        adaptive: false,
        ..entry
    };
    assert_eq!(
        Led::new(1, fixed.clone()).scheduler.request_limit(&fixed),
        4
    );
}

/// Goal: first the job slot, then the request slot, then the request; a step that fails leaves nothing
/// taken, and none of the later ones is tried. No executor has anything to acquire, and no session
/// server is there, so these two steps are empty.
#[test]
fn the_order_of_slots() {
    // Both slots are missing: the job slot is asked first.
    let both = Entry {
        limit: 1,
        ..entry("t", 1)
    };
    let mut led = Led::new(3, both);
    let first = led.feed().expect("a poll");
    assert_eq!(led.feed(), Err(Skip::JobLimit));
    assert_eq!(
        (led.scheduler.job_slots("t"), led.scheduler.requests("t")),
        (1, 1)
    );

    // The request slot is free from the running update on, the job slot only at the end.
    led.scheduler.request_over(first, JOB);
    assert_eq!(
        (led.scheduler.job_slots("t"), led.scheduler.requests("t")),
        (1, 0)
    );
    assert_eq!(led.feed(), Err(Skip::JobLimit));
    led.scheduler.done(first, Duration::ZERO);
    assert_eq!(
        (led.scheduler.job_slots("t"), led.scheduler.requests("t")),
        (0, 0)
    );
    assert!(led.feed().is_ok());

    // Without a request slot, the job slot is given back.
    let mut led = Led::new(3, entry("t", 1));
    led.feed().expect("a poll");
    assert_eq!(led.feed(), Err(Skip::RequestLimit));
    assert_eq!(
        (led.scheduler.job_slots("t"), led.scheduler.requests("t")),
        (1, 1)
    );
}

/// Goal: ids are the smallest numbers that no running job of the token, and of its project, has.
///
/// Proves RUN-SCH-12.
#[test]
fn concurrent_ids() {
    let mut scheduler = Scheduler::new();
    let entries: Vec<Entry<()>> = ["a", "b"]
        .into_iter()
        .map(|token| Entry {
            adaptive: false,
            ..entry(token, 9)
        })
        .collect();
    let plan = Plan {
        concurrent: 20,
        check_interval: Some(Duration::from_secs(2)),
        entries,
    };
    scheduler.start(plan, Duration::ZERO);
    let mut tickets: Vec<(Arc<Entry<()>>, Ticket)> = Vec::new();
    for second in 0..12 {
        scheduler.advance(Duration::from_secs(second));
        for decision in scheduler.take_decisions() {
            if let Decision::Poll { ticket, entry } = decision {
                tickets.push((entry, ticket));
            }
        }
    }
    let mut next = |token: &str| {
        let at = tickets.iter().position(|(entry, _)| entry.token == token);
        tickets.remove(at.expect("a poll of this entry")).1
    };
    let ids = |concurrent_id, project_concurrent_id| {
        Some(ConcurrentIds {
            concurrent_id,
            project_concurrent_id,
        })
    };
    let (a0, a1, a2, b0) = (next("a"), next("a"), next("a"), next("b"));
    assert_eq!(scheduler.job_added(a0, 1), ids(0, 0));
    assert_eq!(scheduler.job_added(a1, 2), ids(1, 0));
    assert_eq!(scheduler.job_added(a2, 1), ids(2, 1));
    // Another token counts for itself.
    assert_eq!(scheduler.job_added(b0, 1), ids(0, 0));
    scheduler.job_removed(a1);
    scheduler.job_removed(a0);
    let (a3, a4, a5) = (next("a"), next("a"), next("a"));
    assert_eq!(scheduler.job_added(a3, 2), ids(0, 0));
    assert_eq!(scheduler.job_added(a4, 1), ids(1, 0));
    assert_eq!(scheduler.job_added(a5, 1), ids(3, 2));
    // A worker that ends frees its ids as well.
    scheduler.done(a3, Duration::from_secs(12));
    scheduler.done(a0, Duration::from_secs(12));
    assert_eq!(scheduler.job_added(a0, 1), None);
}
