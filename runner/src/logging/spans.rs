use protocol::JobPayload;
use tracing::Span;

/// A span whose records carry `runner` (short token) and, unless empty, `runner_name`.
pub fn runner_span(short_token: &str, name: &str) -> Span {
    let name = (!name.is_empty()).then_some(name);
    tracing::info_span!("runner", runner = short_token, runner_name = name)
}

/// A span whose records carry the ids of a job, as the job's own lines do (`Job succeeded` and all
/// that `job::run` logs). Enter it inside a [`runner_span`].
pub fn job_span(job: &JobPayload) -> Span {
    let info = job.job_info.get();
    tracing::info_span!(
        "job",
        job = job.id.get(),
        project = info.project_id.get(),
        pipeline_id = info.pipeline_id.get(),
        namespace_id = info.namespace_id.get(),
        root_namespace_id = info.root_namespace_id.get(),
        organization_id = info.organization_id.get(),
        gitlab_user_id = info.user_id.get(),
        project_full_path = info.project_full_path.as_str(),
    )
}
