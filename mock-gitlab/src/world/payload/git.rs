//! `git_info` (wire.md 3.8, WIRE-PAY-04, WIRE-PAY-05).

use protocol::Field;
use protocol::job_payload::{GitInfo, Variable};

use crate::world::state::{Pipeline, Project};

/// The clone URL with the job token.
pub(super) fn repo_url(external_url: &str, project: &Project, token: &str) -> String {
    let (scheme, rest) = external_url
        .split_once("://")
        .unwrap_or(("http", external_url));
    format!(
        "{scheme}://gitlab-ci-token:{token}@{rest}/{}.git",
        project.full_path
    )
}

/// `git_info` of a job in a pipeline.
pub(super) fn git_info(
    repo_url: String,
    project: &Project,
    pipeline: &Pipeline,
    protected: bool,
    variables: &[Variable],
) -> GitInfo {
    let depth = depth(project, variables);
    GitInfo {
        repo_url: Field::Value(repo_url),
        repo_object_format: Field::from("sha1"),
        ref_: Field::from(pipeline.ref_.as_str()),
        sha: Field::from(pipeline.sha.as_str()),
        before_sha: Field::from(pipeline.before_sha.as_str()),
        ref_type: Field::from(if pipeline.tag { "tag" } else { "branch" }),
        refspecs: Field::Value(refspecs(pipeline, depth)),
        depth: Field::Value(depth),
        protected: Field::Value(protected),
    }
}

/// Variable `GIT_DEPTH`, else the project's default, else 0.
fn depth(project: &Project, variables: &[Variable]) -> i64 {
    variables
        .iter()
        .rev()
        .find(|variable| variable.key.as_str() == "GIT_DEPTH")
        .and_then(|variable| variable.value.as_str().trim().parse().ok())
        .unwrap_or(project.git_depth)
}

/// The pipeline's ref first; then the branch or tag, or all of them when everything is fetched; for a
/// merge request nothing more.
fn refspecs(pipeline: &Pipeline, depth: i64) -> Vec<String> {
    let id = pipeline.id;
    let mut refspecs = vec![format!("+refs/pipelines/{id}:refs/pipelines/{id}")];
    if pipeline.ref_.starts_with("refs/merge-requests/") {
        return refspecs;
    }
    let name = &pipeline.ref_;
    if depth <= 0 {
        refspecs.push("+refs/heads/*:refs/remotes/origin/*".to_owned());
        refspecs.push("+refs/tags/*:refs/tags/*".to_owned());
    } else if pipeline.tag {
        refspecs.push(format!("+refs/tags/{name}:refs/tags/{name}"));
    } else {
        refspecs.push(format!("+refs/heads/{name}:refs/remotes/origin/{name}"));
    }
    refspecs
}
