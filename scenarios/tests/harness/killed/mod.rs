//! The runner is killed by SIGKILL, at many points of a job and of a token rotation. Whatever the point:
//! the configuration is the old one or the new one, no process of the job lives on, no byte that the server
//! took is lost, and nothing of a script stays in the temporary folder.

mod desk;
mod stopped;

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use mock_gitlab::world::event::EventKind;
use protocol::JobStatus;

use desk::{Desk, LINES, Server, log_lines, normalised, sent_bytes};

/// When the runner is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// When it has written so many lines to its terminal.
    Terminal(usize),
    /// When the server has seen so many of its requests that mean something: polls that bring a job, the
    /// token reset, updates and patches.
    Requests(usize),
    /// By the job itself, with its line of this number.
    JobLine(usize),
}

/// Start, both kinds of warnings, rotation, pickup, every stage, delivery, the end.
fn points() -> Vec<Point> {
    let terminal = (1..=20).map(Point::Terminal);
    // Reset, poll, `running`, two patches while the job runs, the last one, the final update.
    let requests = (1..=7).map(Point::Requests);
    let lines = [1, 2, 7, 20, 33, 47, LINES - 1, LINES].map(Point::JobLine);
    terminal.chain(requests).chain(lines).collect()
}

/// Nobody waits so long; it only keeps a broken test from hanging.
const LIMIT: Duration = Duration::from_mins(3);

#[tokio::test]
async fn nothing_is_lost_or_left_at_any_point() {
    let server = Server::start();
    let whole = whole_log(&server).await;
    let mut points_under_way = tokio::task::JoinSet::new();
    for (number, point) in points().into_iter().enumerate() {
        let (server, whole) = (server.clone(), whole.clone());
        points_under_way.spawn(async move { killed(&server, number, point, &whole).await });
    }
    let mut cut = 0;
    while let Some(end) = points_under_way.join_next().await {
        // A panic of one point fails the test.
        cut += usize::from(end.expect("a point of the test"));
    }
    // The last lines of a job come seconds after the first piece of its log; how many points in between
    // meet a log in pieces depends on the machine's pace.
    assert!(
        cut >= 3,
        "only {cut} jobs were cut off with a part of their log delivered"
    );
}

/// The log of a job that nobody disturbs.
async fn whole_log(server: &Server) -> Vec<String> {
    let desk = Desk::new(server, "control", None);
    let mut runner = desk.start();
    desk.job
        .wait_for(JobStatus::Success)
        .await
        .expect("success");
    desk.stop(&mut runner).await;
    let lines = normalised(&desk.job.trace_text(), &desk);
    assert_eq!(log_lines(&lines), (1..=LINES).collect::<Vec<_>>());
    desk.nothing_left().await;
    lines
}

/// Kills one runner at one point; whether a part of a log, but not all of it, had been delivered.
async fn killed(server: &Server, number: usize, point: Point, whole: &[String]) -> bool {
    let line = match point {
        Point::JobLine(line) => Some(line),
        _ => None,
    };
    let desk = Desk::new(server, &format!("p{number}"), line);
    let mut runner = desk.start();
    let reached = async {
        match point {
            Point::Terminal(lines) => {
                let enough = |text: &str| text.lines().count() >= lines;
                runner.terminal().until(enough).await;
            }
            Point::Requests(count) => desk.requests(count).await,
            // The job does it.
            Point::JobLine(_) => return,
        }
        runner
            .signal(nix::sys::signal::Signal::SIGKILL)
            .expect("signal");
    };
    let reached = tokio::time::timeout(LIMIT, reached).await;
    assert!(
        reached.is_ok(),
        "{point:?} was not reached: {}",
        runner.terminal().text()
    );
    let end = tokio::time::timeout(LIMIT, runner.wait()).await;
    let end = end.unwrap_or_else(|_| panic!("{point:?}: the runner lives on"));
    assert_eq!(end.expect("end").signal(), Some(9), "{point:?}");
    runner.drain().await;

    desk.config_is_whole(&format!("{point:?}"));
    desk.nothing_left().await;

    let trace = desk.job.trace();
    let terminal = runner.terminal().text();
    assert_eq!(
        desk.job.patches().concat(),
        trace,
        "{point:?}: patches are one after the other"
    );
    assert!(
        trace.len() as u64 >= sent_bytes(&terminal),
        "{point:?}: {} bytes, but the runner was told of more:\n{terminal}",
        trace.len()
    );
    let text = String::from_utf8(trace).expect("UTF-8");
    let (lines, _cut_line) = text.rsplit_once('\n').unwrap_or_default();
    let lines = normalised(lines, &desk);
    for (number, (seen, expected)) in lines.iter().zip(whole).enumerate() {
        assert_eq!(seen, expected, "{point:?}: line {}:\n{text}", number + 1);
    }
    assert!(
        lines.len() <= whole.len(),
        "{point:?}: longer than the whole log:\n{text}"
    );
    !lines.is_empty() && lines.len() < whole.len()
}

/// What the server writes down about a runner and its job, without polls that bring nothing.
fn matters(kind: &EventKind, runner_id: i64, job_id: i64) -> bool {
    match kind {
        EventKind::Poll { runner, job, .. } => *runner == Some(runner_id) && job.is_some(),
        EventKind::RunnerTokenReset { runner } => *runner == runner_id,
        EventKind::TracePatch { job, .. } | EventKind::JobUpdate { job, .. } => *job == job_id,
        _ => false,
    }
}
