//! How the end of a log and the result of its job are delivered (wire.md 5.4), on a paused clock.

use http::Method;
use runner::trace::FinalOutcome;

use super::delivery::{Job, named, server, story};
use super::memory::{Memory, Reply};
use super::support::logged;

/// When requests came.
fn seconds(server: &Memory) -> Vec<u64> {
    server.times_ms().iter().map(|time| time / 1000).collect()
}

/// 202 on the result: again after the interval, without limit.
///
/// Proves WIRE-UPD-05.
#[tokio::test(start_paused = true)]
async fn accepted_but_not_completed() {
    let mut updates = vec![Reply::status(202); 200];
    updates.extend([named(202, "7"), Reply::status(202), Reply::status(200)]);
    let server = server(Vec::new(), updates);
    let job = Job::start(&server);
    let (outcome, log) = logged(job.finish()).await;
    assert_eq!(outcome, FinalOutcome::Delivered);
    // Who waits for the job learns why it does not end.
    let said = log.matches("does not complete the job").count();
    assert_eq!(said, 10, "202 updates, every 20th");
    let times = seconds(&server);
    let mut expected: Vec<u64> = (0..201).map(|number| number * 3).collect();
    expected.extend([607, 614]);
    assert_eq!(times, expected);
}

/// 412 on the result: the whole log again, then the result again.
///
/// Proves WIRE-UPD-06.
#[tokio::test(start_paused = true)]
async fn the_log_from_its_start_again() {
    let server = server(
        Vec::new(),
        vec![Reply::status(412), Reply::status(412), Reply::status(200)],
    );
    let job = Job::start(&server);
    job.log.raw("abcdef");
    assert_eq!(job.finish().await, FinalOutcome::Delivered);
    assert_eq!(
        story(&server),
        [
            "0 PATCH 0-5",
            "0 PUT success",
            "3 PATCH 0-5",
            "3 PUT success",
            "6 PATCH 0-5",
            "6 PUT success",
        ]
    );
}

/// Other answers to the result: ten runs, each after the interval and a pause of 1 s that doubles.
///
/// Proves WIRE-UPD-07.
#[tokio::test(start_paused = true)]
async fn ten_runs() {
    let mut expected = vec![0];
    for number in 0..9 {
        expected.push(expected[number] + 3 + (1 << number));
    }
    for failure in [400, 401, 409, 201, 204, 422, 501]
        .map(Reply::status)
        .into_iter()
        .chain([Reply::broken("reset")])
    {
        let case = format!("{failure:?}");
        let server = server(Vec::new(), vec![failure]);
        let job = Job::start(&server);
        assert_eq!(job.finish().await, FinalOutcome::GaveUp, "{case}");
        let times = seconds(&server);
        assert_eq!(times, expected, "{case}");
    }
    // So does a patch that fails: no result before the log.
    let server = server(vec![Reply::status(400)], Vec::new());
    let job = Job::start(&server);
    job.log.raw("abc");
    assert_eq!(job.finish().await, FinalOutcome::GaveUp);
    let times = seconds(&server);
    assert_eq!(times, expected);
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.method == Method::PATCH)
    );
}

/// Intervals that the server names at the end set the waits there; each run begins with 3 s again.
///
/// Proves WIRE-UPD-21.
#[tokio::test(start_paused = true)]
async fn waits_at_the_end() {
    for failure in [201, 409] {
        let server = server(
            vec![named(202, "5")],
            vec![
                Reply::status(202),
                named(202, "7"),
                named(failure, "20"),
                Reply::status(failure),
                Reply::status(failure),
                Reply::status(200),
            ],
        );
        let job = Job::start(&server);
        job.log.raw("abc");
        assert_eq!(job.finish().await, FinalOutcome::Delivered);
        assert_eq!(
            story(&server),
            [
                "0 PATCH 0-2",
                "0 PUT success",
                // The interval of the flush, then that of the update.
                "5 PUT success",
                "12 PUT success",
                // 20 + 1, 3 + 2, 3 + 4.
                "33 PUT success",
                "38 PUT success",
                "45 PUT success",
            ]
        );
    }
}
