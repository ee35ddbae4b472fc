//! GitLab's own REST API as the control surface, so that existing clients drive the mock.
//!
//! - `ask`: who calls, with which parameters, and the kinds of answers; `page`: pagination; `order`: what
//!   comes first.
//! - `entity`: GitLab's JSON objects.
//! - `projects`, `groups`, `pipelines`, `jobs`, `runners`, `instance`: the endpoints.
//!
//! A personal access token is needed everywhere (`PRIVATE-TOKEN`, `Authorization: Bearer` or the
//! parameter `private_token`); `GET /job` wants a job token. There are no memberships: every user may
//! do everything to every project, administrators also to the instance.

mod ask;
mod entity;
mod groups;
mod instance;
mod jobs;
mod order;
mod page;
mod pipelines;
mod projects;
mod runners;

use axum::Router;
use axum::routing::{get, post};

use super::state::State;

pub(super) use runners::owned as owned_runners;

/// The routes, below `/api/v4`.
pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/version", get(instance::version))
        .route("/metadata", get(instance::version))
        .route("/user", get(instance::current_user))
        .route("/users", get(instance::users))
        .route("/users/{id}", get(instance::user))
        .route("/projects", get(projects::list).post(projects::create))
        .route(
            "/projects/{id}",
            get(projects::get)
                .put(projects::change)
                .delete(projects::delete),
        )
        .route("/groups", get(groups::list).post(groups::create))
        .route("/groups/{id}", get(groups::get))
        .route("/groups/{id}/projects", get(groups::projects))
        .route("/groups/{id}/subgroups", get(groups::subgroups))
        .route("/groups/{id}/runners", get(runners::of_group))
        .route("/runners/all", get(runners::all))
        .route(
            "/runners/{id}",
            get(runners::get)
                .put(runners::change)
                .delete(runners::delete),
        )
        .route("/runners/{id}/managers", get(runners::managers))
        .route("/runners/{id}/jobs", get(runners::list_jobs))
        .route(
            "/projects/{id}/runners",
            get(runners::of_project).post(runners::enable),
        )
        .route(
            "/projects/{id}/runners/{runner}",
            axum::routing::delete(runners::disable),
        )
        .merge(pipelines_and_jobs())
}

fn pipelines_and_jobs() -> Router<State> {
    let pipeline = "/projects/{id}/pipelines/{pipeline}";
    let job = "/projects/{id}/jobs/{job}";
    Router::new()
        .route("/projects/{id}/pipeline", post(pipelines::create))
        .route("/projects/{id}/pipelines", get(pipelines::list))
        .route("/projects/{id}/pipelines/latest", get(pipelines::latest))
        .route(pipeline, get(pipelines::get))
        .route(&format!("{pipeline}/jobs"), get(pipelines::list_jobs))
        .route(
            &format!("{pipeline}/variables"),
            get(pipelines::list_variables),
        )
        .route(&format!("{pipeline}/cancel"), post(pipelines::cancel))
        .route(&format!("{pipeline}/retry"), post(pipelines::retry))
        .route("/job", get(jobs::current))
        .route("/projects/{id}/jobs", get(jobs::list))
        .route(job, get(jobs::get))
        .route(&format!("{job}/trace"), get(jobs::trace))
        .route(&format!("{job}/cancel"), post(jobs::cancel))
        .route(&format!("{job}/play"), post(jobs::play))
        .route(&format!("{job}/retry"), post(jobs::retry))
        .route(&format!("{job}/erase"), post(jobs::erase))
        .route(
            &format!("{job}/artifacts"),
            get(jobs::artifacts).delete(jobs::delete_artifacts),
        )
        .route(&format!("{job}/artifacts/keep"), post(jobs::keep_artifacts))
        .route(
            "/projects/{id}/jobs/artifacts/{ref}/download",
            get(jobs::artifacts_of_ref),
        )
}
