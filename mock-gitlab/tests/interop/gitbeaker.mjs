// @gitbeaker/rest, unmodified, drives the server: URL and token of the administrator are the arguments.
//
// What a runner would send goes through fetch.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, url, token] = process.argv.slice(2);
const require = createRequire(`${modules}/x.js`);
const { Gitlab } = await import(pathToFileURL(require.resolve('@gitbeaker/rest')).href);
const api = new Gitlab({ host: url, token });

const user = await api.Users.showCurrentUser();
assert.equal(user.username, 'root');

// A group, a project in it, a runner for it.
const group = await api.Groups.create('tools', 'tools');
const project = await api.Projects.create({ name: 'demo', namespaceId: group.id });
assert.equal((await api.Projects.show('tools/demo')).id, project.id);
const made = await api.Users.createCIRunner('project_type', {
  projectId: project.id,
  tagList: ['linux'],
});
assert.ok(made.token.startsWith('glrt-'));

// A pipeline.
const definition = `
jobs:
  - {name: build, stage: build, script: [make], tags: [linux]}
  - {name: deploy, stage: deploy, script: [deploy], tags: [linux], when: manual}
`;
const pipeline = await api.Pipelines.create(project.id, 'main', {
  variables: [{ key: 'A', value: 'b' }],
  definition,
});
assert.equal(pipeline.status, 'pending');
const [build, deploy] = await api.Jobs.all(project.id, { pipelineId: pipeline.id });
assert.deepEqual([build.name, build.status, deploy.status], ['build', 'pending', 'created']);

const send = async (method, path, headers, body) => {
  const answer = await fetch(`${url}/api/v4${path}`, { method, headers, body });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer;
};
const json = { 'Content-Type': 'application/json' };
const take = async () => {
  const body = JSON.stringify({ token: made.token, system_id: 's_1' });
  return (await send('POST', '/jobs/request', json, body)).json();
};
const finish = (job, state, more) =>
  send('PUT', `/jobs/${job.id}`, json, JSON.stringify({ token: job.token, state, ...more }));

// The runner takes the job; the user watches.
const taken = await take();
assert.equal(taken.id, build.id);
assert.equal((await api.Jobs.show(project.id, build.id)).status, 'running');
await send(
  'PATCH',
  `/jobs/${build.id}/trace`,
  { 'JOB-TOKEN': taken.token, 'Content-Range': '0-4' },
  'hello',
);
assert.equal(await api.Jobs.showLog(project.id, build.id), 'hello');
const form = new FormData();
form.append('file', new Blob(['zip']), 'artifacts.zip');
await send('POST', `/jobs/${build.id}/artifacts`, { 'JOB-TOKEN': taken.token }, form);
await finish(taken, 'failed', { failure_reason: 'script_failure', exit_code: 1 });
const failed = await api.Jobs.show(project.id, build.id);
assert.deepEqual([failed.status, failed.failure_reason], ['failed', 'script_failure']);
const archive = await api.JobArtifacts.downloadArchive(project.id, { jobId: build.id });
assert.equal(await archive.text(), 'zip');

// Retry, cancel, play, erase.
const again = await api.Jobs.retry(project.id, build.id);
assert.ok(again.id > build.id);
assert.equal((await api.Jobs.cancel(project.id, again.id)).status, 'canceled');
const third = await api.Jobs.retry(project.id, again.id);
const second = await take();
assert.equal(second.id, third.id);
await finish(second, 'success');
assert.equal((await api.Jobs.play(project.id, deploy.id)).status, 'pending');
assert.equal((await api.Pipelines.cancel(project.id, pipeline.id)).id, pipeline.id);
assert.equal((await api.Jobs.show(project.id, deploy.id)).status, 'canceled');
assert.ok((await api.Jobs.erase(project.id, third.id)).erased_at);

// Lists in pages.
for (let count = 0; count < 12; count += 1) {
  await api.Pipelines.create(project.id, 'main', { definition });
}
assert.equal((await api.Jobs.all(project.id, { perPage: 5 })).length, 28);
assert.equal((await api.Jobs.all(project.id, { perPage: 5, maxPages: 2 })).length, 10);
assert.equal((await api.Pipelines.all(project.id)).length, 13);
const pending = await api.Jobs.all(project.id, { scope: ['pending'] });
assert.ok(pending.length > 0 && pending.every((job) => job.status === 'pending'));

// Runners.
assert.equal((await api.Runners.show(made.id)).status, 'online');
assert.equal((await api.Runners.edit(made.id, { paused: true })).paused, true);
assert.deepEqual(
  (await api.Runners.all({ projectId: project.id })).map((runner) => runner.id),
  [made.id],
);
assert.equal((await api.Runners.allJobs?.(made.id) ?? await api.Runners.jobs(made.id)).length, 2);
await api.Runners.remove({ runnerId: made.id });
await assert.rejects(api.Runners.show(made.id), /404|Not Found/);
await assert.rejects(new Gitlab({ host: url, token: 'glpat-wrong' }).Projects.all(), /401|Unauthorized/);
console.log('ok');
