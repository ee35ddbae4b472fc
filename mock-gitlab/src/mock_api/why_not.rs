//! Why a runner would not get a job.

use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::MockApi;
use super::ask::{Problem, Refusal, json};
use crate::world::{JobId, RunnerId, WhyNot, World};

/// Most jobs that are looked at unless told otherwise.
const JOBS: usize = 100;
/// Most jobs that can be asked for.
const MOST_JOBS: usize = 1000;

/// Which jobs and runners.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Question {
    /// This job only; absent = all waiting jobs, by id.
    #[param(value_type = Option<i64>)]
    job: Option<JobId>,
    /// This runner only; absent = all.
    #[param(value_type = Option<i64>)]
    runner: Option<RunnerId>,
    /// Most jobs, 1 to 1000; absent = 100.
    limit: Option<usize>,
}

/// A job, a runner, and what keeps the one from the other.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct WhyNotRow {
    /// Job.
    #[schema(value_type = i64)]
    job: JobId,
    /// Runner.
    #[schema(value_type = i64)]
    runner: RunnerId,
    /// The first criterion that fails; absent = the runner's next poll gets the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<WhyNot>,
    /// The same as a sentence.
    text: String,
}

/// For each waiting job and each runner, the first criterion that keeps the runner's next poll from
/// getting the job.
#[utoipa::path(get, path = "/why-not", tag = "why-not", params(Question), responses(
    (status = 200, body = Vec<WhyNotRow>), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(api): State<MockApi>,
    question: Result<Query<Question>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(question) = question.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let limit = question.limit.unwrap_or(JOBS);
    if limit == 0 || limit > MOST_JOBS {
        return Err(Refusal::bad_request(format!("limit: 1 to {MOST_JOBS}")));
    }
    let rows = api.look(|world, now| {
        let (jobs, runners) = asked(world, &question, limit)?;
        let mut rows = Vec::with_capacity(jobs.len() * runners.len());
        for runner in runners {
            for (job, why_not) in jobs.iter().zip(world.why_nots(now, runner, &jobs)) {
                let text = why_not
                    .as_ref()
                    .map_or_else(|| "the next poll gets it".to_owned(), ToString::to_string);
                rows.push(WhyNotRow {
                    job: *job,
                    runner,
                    why_not,
                    text,
                });
            }
        }
        rows.sort_by_key(|row| (row.job, row.runner));
        Ok(rows)
    })?;
    Ok(json(StatusCode::OK, &rows))
}

fn asked(
    world: &World,
    question: &Question,
    limit: usize,
) -> Result<(Vec<JobId>, Vec<RunnerId>), Refusal> {
    let jobs = match question.job {
        Some(job) if world.job(job).is_none() => {
            return Err(Refusal::not_found(format!("there is no job {job}")));
        }
        Some(job) => vec![job],
        None => world.waiting_jobs().take(limit).map(|job| job.id).collect(),
    };
    let runners = match question.runner {
        Some(runner) if world.runner(runner).is_none() => {
            return Err(Refusal::not_found(format!("there is no runner {runner}")));
        }
        Some(runner) => vec![runner],
        None => world.runners().map(|runner| runner.id).collect(),
    };
    Ok((jobs, runners))
}
