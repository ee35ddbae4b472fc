//! Pipelines.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use http::{Request, StatusCode};
use protocol::job_payload::Variable;
use protocol::{Field, JobStatus};
use serde_json::{Value, json};

use super::ask::{Asked, Reply, ask, not_done, number, project, read, respond};
use super::{entity, jobs, order, page};
use crate::git::repository;
use crate::http::reply;
use crate::http::state::State;
use crate::seed;
use crate::world::state::Pipeline;
use crate::world::{
    ActionError, ApiError, NewPipeline, NewPipelineJob, PipelineId, ProjectId, World,
};

/// What is asked for in a path: a pipeline of this project.
pub(super) fn find(
    world: &World,
    project_segment: &str,
    segment: &str,
) -> Result<PipelineId, ApiError> {
    let project = project(world, project_segment)?;
    let id = number(segment, "Pipeline").map_err(|_| jobs::not_found())?;
    world
        .pipeline(id)
        .filter(|pipeline| pipeline.project == project)
        .map(|pipeline| pipeline.id)
        .ok_or_else(jobs::not_found)
}

fn shown(world: &World, asked: &Asked, id: PipelineId) -> Result<Value, ApiError> {
    let record = world.pipeline(id).ok_or_else(jobs::not_found)?;
    Ok(entity::full_pipeline(world, asked.now, record))
}

/// `GET /projects/:id/pipelines`, newest first.
pub(super) async fn list(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = project(world, &id)?;
        let is = |name: &'static str, of: fn(&Pipeline) -> &str| {
            let wanted = asked.parameters.text(name).map(str::to_owned);
            move |pipeline: &Pipeline| {
                wanted
                    .as_deref()
                    .is_none_or(|wanted| of(pipeline) == wanted)
            }
        };
        let status = is("status", |pipeline| pipeline.status.as_str());
        let ref_ = is("ref", |pipeline| &pipeline.ref_);
        let sha = is("sha", |pipeline| &pipeline.sha);
        let source = is("source", |pipeline| &pipeline.source);
        let scope = scope(asked)?;
        let created = order::within(asked, "created")?;
        let updated = order::within(asked, "updated")?;
        let username = asked.parameters.text("username");
        let wanted = |pipeline: &&Pipeline| {
            let user = world.user(pipeline.user).map(|user| &*user.username);
            pipeline.project == id
                && created(pipeline.created_at)
                && updated(pipeline.updated_at)
                && (username.is_none() || username == user)
                && status(pipeline)
                && ref_(pipeline)
                && sha(pipeline)
                && source(pipeline)
                && scope(pipeline)
        };
        let one = |pipeline: &Pipeline| entity::brief_pipeline(world, pipeline);
        let known = ["id", "status", "ref", "updated_at", "user_id"];
        let by: fn(&Pipeline, &Pipeline) -> Ordering = match order::of(asked, &known, "id")? {
            "status" => |one, other| one.status.as_str().cmp(other.status.as_str()),
            "ref" => |one, other| one.ref_.cmp(&other.ref_),
            "updated_at" => |one, other| one.updated_at.cmp(&other.updated_at),
            "user_id" => |one, other| one.user.cmp(&other.user),
            _ => |_, _| Ordering::Equal,
        };
        let mut pipelines: Vec<&Pipeline> = world.pipelines().filter(wanted).collect();
        let ascending = order::ascending(asked, false)?;
        order::sort(&mut pipelines, ascending, by, |pipeline| pipeline.id);
        page::list(asked, pipelines.into_iter(), one)
    })
    .await
}

fn scope(asked: &Asked) -> Result<fn(&Pipeline) -> bool, ApiError> {
    Ok(match asked.parameters.text("scope") {
        None => |_| true,
        Some("running") => |pipeline| pipeline.status == JobStatus::Running,
        Some("pending") => |pipeline| pipeline.status == JobStatus::Pending,
        Some("finished") => |pipeline| pipeline.status.is_complete(),
        Some("branches") => |pipeline| !pipeline.tag,
        Some("tags") => |pipeline| pipeline.tag,
        Some(_) => {
            return Err(ApiError::new(
                400,
                json!({ "error": "scope does not have a valid value" }),
            ));
        }
    })
}

/// `POST /projects/:id/pipeline` with the jobs as YAML in `definition`.
pub(super) async fn create(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    let asked = match read(&state, request).await {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let prepared = match prepare(&state, &asked, &id).await {
        Ok(prepared) => prepared,
        Err(error) => return reply::error(&error),
    };
    let made = state.call(|world, now| {
        let id = world
            .add_pipeline(now, prepared)
            .map_err(|error| base(&format!("definition: {error}")))?;
        let url = world.settings().external_url.clone();
        Ok::<_, ApiError>((shown(world, &asked, id)?, url))
    });
    match made {
        Ok((body, url)) => respond(Reply::created(body), &asked, &url),
        Err(error) => reply::error(&error),
    }
}

fn base(text: &str) -> ApiError {
    ApiError::validation("base", text)
}

/// Everything that must be known, and the ref that must be there, before there are jobs.
async fn prepare(state: &State, asked: &Asked, id: &str) -> Result<NewPipeline, ApiError> {
    let name = asked.required("ref")?.to_owned();
    let definition = asked.parameters.text("definition").ok_or_else(|| {
        base("Missing CI config file: this server takes the jobs as YAML (stages, jobs) from the parameter definition")
    })?;
    let definition =
        seed::parse_pipeline("definition", definition).map_err(|error| base(&error.to_string()))?;
    if definition.jobs.is_empty() {
        return Err(base("definition: jobs: at least one job is needed"));
    }
    let (project, full_path) = state.call(|world, _| {
        let id = project(world, id)?;
        let path = world.project(id).map(|project| project.full_path.clone());
        Ok::<(ProjectId, String), ApiError>((id, path.unwrap_or_default()))
    })?;
    let mut pipeline = NewPipeline {
        project,
        ref_: name,
        source: "api".to_owned(),
        user: Some(asked.user.id),
        variables: variables(asked, "variables")?,
        stages: definition.stages,
        ..NewPipeline::default()
    };
    let repository = state
        .git
        .as_ref()
        .map(|root| root.repository(&full_path))
        .filter(|path| path.is_dir());
    let no_sources = repository.is_none();
    if let Some(path) = repository {
        let id = state.call(|world, _| world.reserve_pipeline_id());
        let name = pipeline.ref_.clone();
        // git is a process, so this part waits elsewhere than on the server's only thread.
        let found = tokio::task::spawn_blocking(move || {
            let found = repository::resolve(&path, &name);
            if let Some((sha, _)) = &found {
                repository::set_ref(&path, &format!("refs/pipelines/{id}"), sha)?;
            }
            Ok::<_, repository::RepositoryError>(found)
        })
        .await;
        let (sha, tag) = match found {
            Ok(Ok(Some(found))) => found,
            Ok(Ok(None)) => return Err(base("Reference not found")),
            Ok(Err(error)) => return Err(base(&error.to_string())),
            Err(error) => return Err(base(&error.to_string())),
        };
        pipeline.id = Some(id);
        pipeline.sha = sha;
        pipeline.tag = tag;
    }
    pipeline.jobs = definition
        .jobs
        .into_iter()
        .map(|mut definition| {
            if no_sources {
                definition.add_public_variable("GIT_STRATEGY", "none");
            }
            NewPipelineJob {
                id: None,
                definition: Arc::new(definition),
            }
        })
        .collect();
    Ok(pipeline)
}

/// A list of objects with `key`, `value` and `variable_type`.
pub(super) fn variables(asked: &Asked, name: &str) -> Result<Vec<Variable>, ApiError> {
    let invalid = || ApiError::new(400, json!({ "error": format!("{name} is invalid") }));
    let list = match asked.parameters.value(name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(invalid()),
    };
    list.iter()
        .map(|variable| {
            let text = |name: &str| variable.get(name).and_then(Value::as_str);
            Ok(Variable {
                key: Field::from(text("key").ok_or_else(invalid)?),
                value: Field::from(text("value").unwrap_or_default()),
                public: Field::Value(false),
                masked: Field::Value(false),
                file: match text("variable_type") {
                    Some("file") => Field::Value(true),
                    None | Some("env_var") => Field::Absent,
                    Some(_) => return Err(invalid()),
                },
                ..Variable::default()
            })
        })
        .collect()
}

/// `GET /projects/:id/pipelines/:pipeline_id`.
pub(super) async fn get(
    Extract(state): Extract<State>,
    Path((id, pipeline)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = find(world, &id, &pipeline)?;
        Ok(Reply::ok(shown(world, asked, id)?))
    })
    .await
}

/// `GET /projects/:id/pipelines/latest`.
pub(super) async fn latest(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = project(world, &id)?;
        let default = world
            .project(id)
            .map(|project| project.default_branch.as_str());
        let name = asked.parameters.text("ref").or(default);
        let newest = world
            .pipelines()
            .rev()
            .find(|pipeline| pipeline.project == id && Some(pipeline.ref_.as_str()) == name)
            .map(|pipeline| pipeline.id)
            .ok_or_else(ApiError::forbidden)?;
        Ok(Reply::ok(shown(world, asked, newest)?))
    })
    .await
}

/// `GET /projects/:id/pipelines/:pipeline_id/variables`.
pub(super) async fn list_variables(
    Extract(state): Extract<State>,
    Path((id, pipeline)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, _| {
        let id = find(world, &id, &pipeline)?;
        let record = world.pipeline(id).ok_or_else(jobs::not_found)?;
        let list = record.variables.iter().map(|variable| {
            let file = variable.file == Field::Value(true);
            json!({
                "key": variable.key.as_str(),
                "variable_type": if file { "file" } else { "env_var" },
                "value": variable.value.as_str(),
                "raw": variable.raw == Field::Value(true),
            })
        });
        Ok(Reply::ok(list.collect()))
    })
    .await
}

/// `GET /projects/:id/pipelines/:pipeline_id/jobs`, oldest first.
pub(super) async fn list_jobs(
    Extract(state): Extract<State>,
    Path((id, pipeline)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = find(world, &id, &pipeline)?;
        let record = world.pipeline(id).ok_or_else(jobs::not_found)?;
        let retried = asked
            .parameters
            .boolean("include_retried")?
            .unwrap_or(false);
        let scope = jobs::scope(asked)?;
        let list = record
            .jobs
            .iter()
            .filter_map(|id| world.job(*id))
            .filter(|job| (retried || !job.retried) && scope(job.status));
        page::list(asked, list, |job| entity::job(world, asked.now, job))
    })
    .await
}

/// `POST /projects/:id/pipelines/:pipeline_id/cancel`.
pub(super) async fn cancel(
    state: Extract<State>,
    path: Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    act(state, path, request, StatusCode::OK, |world, asked, id| {
        world.cancel_pipeline(asked.now, id)
    })
    .await
}

/// `POST /projects/:id/pipelines/:pipeline_id/retry`.
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
        |world, asked, id| world.retry_pipeline(asked.now, id).map(drop),
    )
    .await
}

async fn act(
    Extract(state): Extract<State>,
    Path((id, pipeline)): Path<(String, String)>,
    request: Request<Body>,
    status: StatusCode,
    action: impl FnOnce(&mut World, &Asked, PipelineId) -> Result<(), ActionError>,
) -> Response {
    ask(&state, request, |world, asked| {
        let id = find(world, &id, &pipeline)?;
        action(world, asked, id).map_err(|error| not_done(&error, ApiError::forbidden))?;
        Ok(Reply::Json(status, shown(world, asked, id)?))
    })
    .await
}
