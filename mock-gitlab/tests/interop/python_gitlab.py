"""python-gitlab, unmodified, drives the server: URL and token of the administrator are the arguments.

The script is user and runner at once: what a runner would send goes through the same HTTP session.
"""

import io
import sys
import time
import zipfile

import gitlab

url, token = sys.argv[1:]
gl = gitlab.Gitlab(url, private_token=token)
gl.auth()
assert gl.user.username == "root", gl.user
assert gl.version()[0], gl.version()

# A group, a project in it, a runner for it.
group = gl.groups.create({"name": "tools", "path": "tools"})
project = gl.projects.create({"name": "demo", "namespace_id": group.id})
assert gl.projects.get("tools/demo").id == project.id
assert [p.id for p in group.projects.list()] == [project.id]
made = gl.user.runners.create(
    {"runner_type": "project_type", "project_id": project.id, "tag_list": "linux", "description": "mine"}
)
runner = gl.runners.get(made.id)
assert (runner.status, runner.tag_list) == ("never_contacted", ["linux"]), runner
assert [r.id for r in project.runners.list()] == [made.id]

# A pipeline.
definition = """
jobs:
  - {name: build, stage: build, script: [make], tags: [linux], artifacts: {paths: [out]}}
  - {name: deploy, stage: deploy, script: [deploy], tags: [linux], when: manual}
"""
pipeline = project.pipelines.create(
    {"ref": "main", "definition": definition, "variables": [{"key": "A", "value": "b"}]}
)
assert (pipeline.status, pipeline.source) == ("pending", "api"), pipeline
assert [v.key for v in pipeline.variables.list()] == ["A"]
build, deploy = pipeline.jobs.list(get_all=True)
assert (build.name, build.status, deploy.status) == ("build", "pending", "created"), (build, deploy)


def take():
    """Polls as the runner."""
    answer = gl.http_post(
        "/jobs/request", post_data={"token": made.token, "system_id": "s_1", "info": {"name": "gitlab-runner"}}
    )
    return answer["id"], answer["token"]


def call(method, path, job_token, **arguments):
    arguments.setdefault("headers", {})["JOB-TOKEN"] = job_token
    answer = gl.session.request(method, f"{url}/api/v4{path}", timeout=10, **arguments)
    assert answer.ok, (method, path, answer.status_code, answer.text)
    return answer


def log(job, job_token, text):
    headers = {"Content-Range": f"0-{len(text) - 1}", "Content-Type": "text/plain"}
    call("PATCH", f"/jobs/{job}/trace", job_token, data=text, headers=headers)


def finish(job, job_token, state, **more):
    call("PUT", f"/jobs/{job}", job_token, json={"token": job_token, "state": state, **more})


# The runner takes the job; the user watches.
job_id, job_token = take()
assert job_id == build.id
job = project.jobs.get(build.id)
assert (job.status, job.runner["id"]) == ("running", made.id), job
assert gl.runners.get(made.id).status == "online"
assert [j.id for j in gl.runners.get(made.id).jobs.list(status="running")] == [build.id]
own = gitlab.Gitlab(url, job_token=job_token)
assert own.http_get("/job")["id"] == build.id

log(build.id, job_token, b"hello from python\n")
assert job.trace() == b"hello from python\n"
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as zipped:
    zipped.writestr("out/file.txt", "built")
call(
    "POST",
    f"/jobs/{build.id}/artifacts?artifact_type=archive&artifact_format=zip&expire_in=1+week",
    job_token,
    files={"file": ("artifacts.zip", archive.getvalue(), "application/octet-stream")},
)
finish(build.id, job_token, "failed", failure_reason="script_failure", exit_code=1)
deadline = time.monotonic() + 10
while (job := project.jobs.get(build.id)).status == "running":
    assert time.monotonic() < deadline, job
    time.sleep(0.05)
assert (job.status, job.failure_reason) == ("failed", "script_failure"), job
assert job.artifacts_file["filename"] == "artifacts.zip", job
with zipfile.ZipFile(io.BytesIO(job.artifacts())) as zipped:
    assert zipped.read("out/file.txt") == b"built"
parts = []
job.artifacts(streamed=True, action=parts.append)
assert b"".join(parts) == archive.getvalue()
job.keep_artifacts()
assert project.jobs.get(build.id).artifacts_expire_at is None

# Retry and cancel.
again = job.retry()
assert again["id"] > build.id, again
second = project.jobs.get(again["id"])
assert second.status == "pending", second
second.cancel()
assert project.jobs.get(second.id).status == "canceled"
try:
    job.retry()
    raise AssertionError("a job is retried once only")
except gitlab.exceptions.GitlabJobRetryError as error:
    assert error.response_code == 403, error
third = project.jobs.get(second.retry()["id"])
job_id, job_token = take()
assert job_id == third.id
finish(third.id, job_token, "success")
play = project.jobs.get(deploy.id)
assert play.status == "manual", play
play.play()
assert project.jobs.get(deploy.id).status == "pending"
pipeline.cancel()
assert project.jobs.get(deploy.id).status == "canceled"
third = project.jobs.get(third.id)
third.erase()
assert project.jobs.get(third.id).erased_at
project.jobs.get(build.id).delete_artifacts()
try:
    project.jobs.get(build.id).artifacts()
    raise AssertionError("deleted artifacts are gone")
except gitlab.exceptions.GitlabGetError as error:
    assert error.response_code == 404, error

# Lists in pages, filters, errors.
for _ in range(12):
    project.pipelines.create({"ref": "main", "definition": definition})
assert len(project.jobs.list(get_all=True)) == 28, len(project.jobs.list(get_all=True))
everything = project.jobs.list(iterator=True, per_page=5)
assert everything.total == 28 and len(list(everything)) == 28
assert {j.status for j in project.jobs.list(scope=["pending"], get_all=True)} == {"pending"}
assert len(project.pipelines.list(get_all=True)) == 13
try:
    project.pipelines.create({"ref": "main", "definition": "jobs:\n  - {nam: a}\n"})
    raise AssertionError("a definition with an unknown key is refused")
except gitlab.exceptions.GitlabCreateError as error:
    assert error.response_code == 400 and "definition:2" in str(error), error
try:
    gitlab.Gitlab(url, private_token="glpat-wrong").projects.list()
    raise AssertionError("a wrong token is refused")
except gitlab.exceptions.GitlabAuthenticationError:
    pass

# Runners.
runner = gl.runners.get(made.id)
runner.description = "paused by python"
runner.paused = True
runner.save()
assert gl.runners.get(made.id).paused
assert made.id in [r.id for r in gl.runners_all.list(get_all=True)]
assert len(gl.runners.list(type="project_type")) == 1
gl.runners.delete(made.id)
try:
    gl.runners.get(made.id)
    raise AssertionError("a deleted runner is gone")
except gitlab.exceptions.GitlabGetError as error:
    assert error.response_code == 404, error
print("ok")
