//! The vector about effective timeouts (QUE-V34): each case is a world with one job, and the answer is
//! what the runner is told.

use std::sync::Arc;

use jiff::Timestamp;
use mock_gitlab::vectors::TimeoutCase;
use mock_gitlab::world::{
    JobDefinition, NewJob, NewProject, NewRunner, Settings, SetupError, World,
};
use serde_json::{Value, json};

/// The expected timeout in words.
pub(super) fn expected(case: &TimeoutCase) -> String {
    words(case.effective, &case.source)
}

fn words(seconds: i64, source: &impl serde::Serialize) -> String {
    let source = serde_json::to_value(source).unwrap_or_default();
    format!("{seconds} s by {}", source.as_str().unwrap_or_default())
}

/// The timeout that a job of this case gets, in words.
pub(super) fn effective(case: &TimeoutCase) -> Result<String, SetupError> {
    let now = Timestamp::UNIX_EPOCH;
    let mut world = World::new(Settings::default(), 0);
    let project = world.add_project(
        now,
        NewProject {
            timeout: Some(case.project),
            ..NewProject::default()
        },
    )?;
    let token = "glrt-timeouts";
    world.add_runner(
        now,
        NewRunner {
            token: Some(token.to_owned()),
            maximum_timeout: case.runner,
            ..NewRunner::default()
        },
    )?;
    let definition = JobDefinition {
        timeout: case.job,
        ..JobDefinition::default()
    };
    let job = world.add_job(now, NewJob::pending(project, Arc::new(definition)))?;
    let body = json!({"token": token, "info": {"features": {}}}).to_string();
    let Ok(request) = protocol::go_json::from_slice(body.as_bytes()) else {
        return Ok("the poll cannot be decoded".to_owned());
    };
    let answer = world.request_job(now, &request, "127.0.0.1");
    let mock_gitlab::world::PollAnswer::Job(payload) = answer else {
        return Ok(format!("answer {} to the poll", answer.status()));
    };
    let payload: Value = serde_json::to_value(&payload).unwrap_or_default();
    let told = payload["runner_info"]["timeout"].as_i64().unwrap_or(-1);
    Ok(match world.job(job).and_then(|job| job.run.as_ref()) {
        Some(run) => words(told, &run.timeout_source),
        None => "the job does not run".to_owned(),
    })
}
