//! Jobs (wire.md 3.11).

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use http::{Request, StatusCode};
use protocol::{JobStatus, header};
use serde_json::{Value, json};

use super::ask::{Asked, Reply, ask, not_done, number, project, read};
use super::pipelines::variables;
use super::{entity, page};
use crate::http::artifacts;
use crate::http::parameters::{Parameters, header_text};
use crate::http::reply;
use crate::http::state::State;
use crate::world::{ActionError, ApiError, JobChanges, JobId, ProjectId, World};

/// 404 of a record that a project does not have.
pub(super) fn not_found() -> ApiError {
    ApiError::new(404, json!({ "message": "404 Not found" }))
}

/// The states that `scope` names; all when it names none.
pub(super) fn scope(asked: &Asked) -> Result<impl Fn(JobStatus) -> bool + use<>, ApiError> {
    let states = asked
        .parameters
        .list("scope")?
        .iter()
        .map(|name| name.parse::<JobStatus>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| ApiError::new(400, json!({ "error": "scope does not have a valid value" })))?;
    Ok(move |status| states.is_empty() || states.contains(&status))
}

fn find(world: &World, project_segment: &str, segment: &str) -> Result<JobId, ApiError> {
    let project = project(world, project_segment)?;
    let id = number(segment, "Job").map_err(|_| not_found())?;
    world
        .job(id)
        .filter(|job| job.project == project)
        .map(|job| job.id)
        .ok_or_else(not_found)
}

fn shown(world: &World, asked: &Asked, id: JobId) -> Result<Value, ApiError> {
    let record = world.job(id).ok_or_else(not_found)?;
    Ok(entity::job(world, asked.now, record))
}

/// `GET /projects/:id/jobs`, newest first.
pub(super) async fn list(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = project(world, &id)?;
        let scope = scope(asked)?;
        let jobs = world
            .jobs()
            .rev()
            .filter(|job| job.project == id && scope(job.status));
        page::list(asked, jobs, |job| entity::job(world, asked.now, job))
    })
    .await
}

/// `GET /projects/:id/jobs/:job_id`.
pub(super) async fn get(
    Extract(state): Extract<State>,
    Path((id, job)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = find(world, &id, &job)?;
        Ok(Reply::ok(shown(world, asked, id)?))
    })
    .await
}

/// `GET /projects/:id/jobs/:job_id/trace`.
pub(super) async fn trace(
    Extract(state): Extract<State>,
    Path((id, job)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, _| {
        let id = find(world, &id, &job)?;
        Ok(Reply::Log(id, world.trace(id)))
    })
    .await
}

/// `POST /projects/:id/jobs/:job_id/cancel`. `force` ends a canceling job.
pub(super) async fn cancel(
    state: Extract<State>,
    path: Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    act(
        state,
        path,
        request,
        StatusCode::CREATED,
        |world, asked, id| {
            let force = asked.parameters.boolean("force")?.unwrap_or(false);
            match world.cancel_job(asked.now, id, force) {
                // A job that has ended stays as it is.
                Ok(_) | Err(ActionError::State { .. }) => Ok(id),
                Err(error) => Err(not_done(&error, ApiError::forbidden)),
            }
        },
    )
    .await
}

/// `job_variables_attributes` and `job_inputs`, which a job gets when it is played or retried.
fn changes(asked: &Asked) -> Result<JobChanges, ApiError> {
    let invalid = || ApiError::new(400, json!({ "error": "job_inputs is invalid" }));
    let inputs = match asked.parameters.value("job_inputs") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(Value::Object(inputs)) => inputs.clone().into_iter().collect(),
        Some(_) => return Err(invalid()),
    };
    Ok(JobChanges {
        variables: variables(asked, "job_variables_attributes")?,
        inputs,
    })
}

/// `POST /projects/:id/jobs/:job_id/play`.
pub(super) async fn play(
    state: Extract<State>,
    path: Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    act(state, path, request, StatusCode::OK, |world, asked, id| {
        world
            .play_changed_job(asked.now, id, &changes(asked)?)
            .map(|_| id)
            .map_err(|error| not_done(&error, || ApiError::bad_request("Unplayable Job")))
    })
    .await
}

/// `POST /projects/:id/jobs/:job_id/retry`: the new job.
pub(super) async fn retry(
    state: Extract<State>,
    path: Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    act(
        state,
        path,
        request,
        StatusCode::CREATED,
        |world, asked, id| {
            world
                .retry_changed_job(asked.now, id, &changes(asked)?)
                .map_err(|error| {
                    not_done(&error, || {
                        ApiError::forbidden_because("Job is not retryable")
                    })
                })
        },
    )
    .await
}

/// `POST /projects/:id/jobs/:job_id/erase`.
pub(super) async fn erase(
    state: Extract<State>,
    path: Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    act(
        state,
        path,
        request,
        StatusCode::CREATED,
        |world, asked, id| {
            let erased = world.job(id).is_some_and(|job| job.erased_at.is_some());
            let not_erasable = || ApiError::forbidden_because("Job is not erasable!");
            if erased {
                return Err(not_erasable());
            }
            world
                .erase_job(asked.now, id)
                .map(|()| id)
                .map_err(|error| not_done(&error, not_erasable))
        },
    )
    .await
}

/// `POST /projects/:id/jobs/:job_id/artifacts/keep`.
pub(super) async fn keep_artifacts(
    state: Extract<State>,
    path: Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    act(state, path, request, StatusCode::OK, |world, _, id| {
        if world.artifacts(id).next().is_none() {
            return Err(ApiError::not_found(None));
        }
        world.keep_artifacts(id);
        Ok(id)
    })
    .await
}

/// `DELETE /projects/:id/jobs/:job_id/artifacts`.
pub(super) async fn delete_artifacts(
    Extract(state): Extract<State>,
    Path((id, job)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, _| {
        let id = find(world, &id, &job)?;
        world.delete_artifacts(id);
        Ok(Reply::Empty)
    })
    .await
}

/// An action on a job; it gives the job to show.
async fn act(
    Extract(state): Extract<State>,
    Path((id, job)): Path<(String, String)>,
    request: Request<Body>,
    status: StatusCode,
    action: impl FnOnce(&mut World, &Asked, JobId) -> Result<JobId, ApiError>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = find(world, &id, &job)?;
        let shown_id = action(world, asked, id)?;
        Ok(Reply::Json(status, shown(world, asked, shown_id)?))
    })
    .await
}

/// `GET /projects/:id/jobs/:job_id/artifacts`, for users and for running jobs.
pub(super) async fn artifacts(
    Extract(state): Extract<State>,
    Path((id, job)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    send_archive(&state, request, |world| find(world, &id, &job)).await
}

/// `GET /projects/:id/jobs/artifacts/:ref/download?job=name`: of the newest job that ended well.
pub(super) async fn artifacts_of_ref(
    Extract(state): Extract<State>,
    Path((id, name)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    let query = Parameters::decode(request.uri().query(), request.headers(), b"");
    let job = match query {
        Ok(query) => query.text("job").map(str::to_owned),
        Err(error) => return reply::error(&error),
    };
    send_archive(&state, request, |world| {
        let job = job.ok_or_else(|| ApiError::missing("job"))?;
        let project = project(world, &id)?;
        newest_with_archive(world, project, &name, &job).ok_or_else(|| ApiError::not_found(None))
    })
    .await
}

fn newest_with_archive(world: &World, project: ProjectId, name: &str, job: &str) -> Option<JobId> {
    world
        .jobs()
        .rev()
        .filter(|record| record.project == project && record.definition.name == job)
        .filter(|record| record.status == JobStatus::Success)
        .filter(|record| {
            let pipeline = record.pipeline.and_then(|id| world.pipeline(id));
            pipeline.is_some_and(|pipeline| pipeline.ref_ == name)
        })
        .map(|record| record.id)
        .find(|id| world.artifact(*id, "archive").is_some())
}

async fn send_archive(
    state: &State,
    request: Request<Body>,
    find: impl FnOnce(&World) -> Result<JobId, ApiError>,
) -> Response {
    let job_token = header_text(request.headers(), header::JOB_TOKEN).map(str::to_owned);
    let by_job = match &job_token {
        None => false,
        Some(token) => {
            let known = state.call(|world, _| world.authenticate_job_token(token).is_some());
            if !known {
                return reply::error(&ApiError::unauthorized());
            }
            true
        }
    };
    if !by_job && let Err(answer) = read(state, request).await {
        return answer;
    }
    let found = state.call(|world, now| {
        let id = find(world)?;
        let artifact = match job_token {
            Some(token) => world.download_artifact(now, Some(&token), id)?.clone(),
            None => world
                .artifact(id, "archive")
                .filter(|archive| archive.expire_at.is_none_or(|end| now < end))
                .cloned()
                .ok_or_else(|| ApiError::not_found(None))?,
        };
        Ok::<_, ApiError>((id, artifact))
    });
    match found {
        Err(error) => reply::error(&error),
        Ok((id, artifact)) => artifacts::send(state, id, &artifact).await,
    }
}

/// `GET /job`: the job of a job token.
pub(super) async fn current(Extract(state): Extract<State>, request: Request<Body>) -> Response {
    let parameters = match Parameters::decode(request.uri().query(), request.headers(), b"") {
        Ok(parameters) => parameters,
        Err(error) => return reply::error(&error),
    };
    let token = header_text(request.headers(), header::JOB_TOKEN)
        .or_else(|| parameters.text("job_token"))
        .unwrap_or_default();
    let found = state.call(|world, now| {
        world.tick(now);
        let (id, _) = world.authenticate_job_token(token)?;
        Some(entity::job(world, now, world.job(id)?))
    });
    match found {
        Some(job) => reply::json_body(StatusCode::OK, &job),
        None => reply::error(&ApiError::unauthorized()),
    }
}
