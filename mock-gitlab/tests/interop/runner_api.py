"""gitlab-runner-api, unmodified, is the runner; python-gitlab is the user.

Arguments: URL, registration token, token of the administrator.
"""

import sys

import gitlab
import gitlab_runner_api
from gitlab_runner_api.failure_reasons import ScriptFailure

url, registration_token, token = sys.argv[1:]
gl = gitlab.Gitlab(url, private_token=token)
project = gl.projects.create({"name": "demo"})
definition = "jobs:\n  - {name: build, stage: build, script: [make, make test], after_script: [clean]}\n"


def pipeline():
    """A pipeline with one job, as the user sees the job."""
    made = project.pipelines.create({"ref": "main", "definition": definition})
    return made.jobs.list(get_all=True)[0]


# Registration; the runner survives being written to a file.
try:
    gitlab_runner_api.Runner.register(url, "wrong")
    raise AssertionError("a wrong registration token is refused")
except gitlab_runner_api.AuthException:
    pass
runner = gitlab_runner_api.Runner.register(
    url, registration_token, description="from PyPI", tags=["a", "b"], run_untagged=True, name="runner-api", version="1"
)
runner = gitlab_runner_api.Runner.loads(runner.dumps())
seen = gl.runners.get(runner.id)
assert (seen.description, seen.tag_list, seen.run_untagged) == ("from PyPI", ["a", "b"], True), seen
assert runner.request_job() is None

# A job, its payload, its log, its end.
build = pipeline()
job = runner.request_job()
assert job.id == build.id
assert (job.script, job.after_script) == (["make", "make test"], ["clean"]), job
assert (job.project_path, job.username) == (project.path_with_namespace, "root"), job
assert job.commit_sha == build.pipeline["sha"]
assert job.pipeline_id == str(build.pipeline["id"])
job.log += "hello\n"
trace = project.jobs.get(build.id).trace().decode()
assert trace == str(job.log) and trace.endswith("hello\n"), trace
# `job.auth()` is left out: GitLab, and so this server, answers an update without a state with 400 by now.
job.set_success()
assert project.jobs.get(build.id).status == "success"

# A failure with its reason.
build = pipeline()
runner.request_job().set_failed(ScriptFailure())
failed = project.jobs.get(build.id)
assert (failed.status, failed.failure_reason) == ("failed", "script_failure"), failed

# The user cancels; the runner is told by the next call.
build = pipeline()
job = runner.request_job()
build = project.jobs.get(build.id)
build.cancel()
try:
    job.log += "still here\n"
    raise AssertionError("a cancelled job takes no log")
except gitlab_runner_api.JobCancelledException:
    pass

gl.runners.delete(runner.id)
try:
    runner.check_auth()
    raise AssertionError("a deleted runner is refused")
except gitlab_runner_api.AuthException:
    pass
print("ok")
