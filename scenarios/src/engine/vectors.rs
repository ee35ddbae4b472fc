//! Plays a vector of the queue through HTTP requests, in virtual time.
//!
//! Each runner of the vector is a client that sends `jobs/request` with its token, its features and the
//! `last_update` that it holds, as a real one does. Jobs end by `PUT`. What a user does (cancel, play)
//! and what an administrator does (pause, switch) goes straight to the world.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use mock_gitlab::vectors::{Names, PollStep, RaceEntry, RaceResult, Step, Vector};
use mock_gitlab::world::setup::{ProjectChange, RunnerChange};
use mock_gitlab::world::{PollAnswer, World};
use protocol::header;
use serde_json::{Value, json};

use super::play::virtual_runtime;
use super::server::Server;
use super::verdict::Mismatch;
use super::{EngineError, Played};
use crate::events::{EventLog, What};

/// The check that a vector proves: `QUE-V05` of `V05-hog-versus-many-projects`.
pub fn check_id(vector: &Vector) -> String {
    let parts: Vec<&str> = vector.id.split('-').collect();
    match parts.as_slice() {
        ["DOC", number, ..] => format!("QUE-DOC-{number}"),
        [first, ..] => format!("QUE-{first}"),
        [] => String::new(),
    }
}

/// The vector in one line.
pub fn about(vector: &Vector) -> String {
    let words: Vec<&str> = vector.id.split('-').skip(1).collect();
    match vector.id.as_str() {
        "DOC-1" => "documented fair usage, example 1".to_owned(),
        "DOC-2" => "documented fair usage, example 2".to_owned(),
        _ => words.join(" "),
    }
}

/// Plays a vector.
pub fn play(vector: &Vector, seed: u64) -> Result<Played, EngineError> {
    let begin = std::time::Instant::now();
    let runtime = virtual_runtime()?;
    let (mismatches, events) = runtime.block_on(async {
        let log = EventLog::begin();
        let clock = super::play::virtual_clock();
        let server = super::mock_server(
            mock_gitlab::world::Settings::default(),
            "http://gitlab.example.com",
            seed,
            log.clone(),
            clock,
        );
        let names = server
            .act(|world, now| vector.build(now, world))
            .map_err(EngineError::setup)?;
        let mut player = Player {
            vector,
            server: &server,
            names,
            held: BTreeMap::new(),
            workers: BTreeMap::new(),
            mismatches: Vec::new(),
        };
        player.name_tokens();
        for (index, step) in vector.steps.iter().enumerate() {
            player.step(index, step).await;
            if !player.mismatches.is_empty() {
                break;
            }
        }
        if player.mismatches.is_empty() {
            player.timeouts();
        }
        Ok::<_, EngineError>((player.mismatches, log.events()))
    })?;
    Ok(Played {
        mismatches,
        events,
        took: begin.elapsed(),
    })
}

struct Player<'a> {
    vector: &'a Vector,
    server: &'a Server,
    names: Names,
    /// The `last_update` that each runner holds.
    held: BTreeMap<String, String>,
    /// Token of each job that was handed out.
    workers: BTreeMap<i64, String>,
    mismatches: Vec<Mismatch>,
}

/// What a poll gave.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Got {
    status: u16,
    job: Option<i64>,
    header: bool,
}

impl Got {
    fn text(&self) -> String {
        match self.job {
            Some(job) => format!("{} job {job}", self.status),
            None => self.status.to_string(),
        }
    }
}

impl Player<'_> {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "texts are made and handed over in one go"
    )]
    fn miss(&mut self, index: usize, what: &str, expected: impl ToString, seen: impl ToString) {
        self.mismatches.push(Mismatch {
            what: format!("steps[{index}] {what}"),
            expected: vec![expected.to_string()],
            seen: vec![seen.to_string()],
        });
    }

    fn name_tokens(&self) {
        let tokens = self
            .names
            .runners
            .keys()
            .map(|name| (name.clone(), self.token(name)))
            .collect();
        self.server.tap().name_tokens(&tokens);
    }

    fn token(&self, runner: &str) -> String {
        let id = self.names.runners.get(runner).copied().unwrap_or_default();
        self.server.act(|world, _| {
            world
                .runner(id)
                .map_or_else(String::new, |runner| runner.token.to_string())
        })
    }

    async fn step(&mut self, index: usize, step: &Step) {
        match step {
            Step::Poll(poll) => self.polls(index, poll).await,
            Step::Race(entries) => self.race(index, entries),
            Step::Finish {
                job,
                failed,
                new_id,
            } => self.finish(index, *job, *failed, *new_id).await,
            Step::Ack(job) => {
                self.update(*job, json!({"state": "running"})).await;
            }
            Step::Cancel(job) => {
                let result = self
                    .server
                    .act(|world, now| world.cancel_job(now, *job, false));
                if let Err(error) = result {
                    self.miss(
                        index,
                        "cancel",
                        format!("job {job} can be cancelled"),
                        error,
                    );
                }
            }
            Step::Play(job) => {
                let result = self.server.act(|world, now| world.play_job(now, *job));
                if let Err(error) = result {
                    self.miss(index, "play", format!("job {job} can be played"), error);
                }
            }
            Step::Advance(seconds) => {
                let time = Duration::from_secs(u64::try_from(*seconds).unwrap_or_default());
                tokio::time::advance(time).await;
                self.server.act(mock_gitlab::world::World::tick);
            }
            Step::Sweep { sweep, new_id } => {
                self.server.act(|world, now| world.sweep(now, *sweep));
                self.exists(index, *new_id);
            }
            Step::Set {
                runner,
                project,
                attributes,
            } => self.set(index, runner.as_deref(), project.as_deref(), attributes),
            Step::Add(jobs) => {
                for (id, job) in jobs {
                    let result = job
                        .to_new_job(*id, &self.names)
                        .and_then(|job| self.server.act(|world, now| world.add_job(now, job)));
                    if let Err(error) = result {
                        self.miss(index, "add", format!("job {id} can be added"), error);
                    }
                }
            }
            Step::Expect(states) => {
                for (job, expected) in states {
                    let seen = self.read(*job, |job| job.status.to_string());
                    if seen != expected.to_string() {
                        self.miss(index, &format!("expect job {job}"), expected, seen);
                    }
                }
            }
            Step::Reason(reasons) => {
                for (job, expected) in reasons {
                    let seen = self.read(*job, |job| {
                        job.failure_reason
                            .as_ref()
                            .map_or_else(|| "none".to_owned(), ToString::to_string)
                    });
                    if seen != *expected {
                        self.miss(index, &format!("reason of job {job}"), expected, seen);
                    }
                }
            }
        }
        // The lease on a job that was looked at lasts 3 s; it has lapsed by the next step.
        if matches!(step, Step::Race(_)) {
            tokio::time::advance(Duration::from_secs(4)).await;
        }
    }

    fn read(&self, job: i64, look: impl Fn(&mock_gitlab::world::state::Job) -> String) -> String {
        self.server.act(|world, _| {
            world
                .job(job)
                .map_or_else(|| "no such job".to_owned(), look)
        })
    }

    fn exists(&mut self, index: usize, new_id: Option<i64>) {
        if let Some(id) = new_id
            && self.server.act(|world, _| world.job(id).is_none())
        {
            self.miss(
                index,
                "new_id",
                format!("job {id}, the retry"),
                "there is none",
            );
        }
    }

    async fn polls(&mut self, index: usize, poll: &PollStep) {
        for expected in &poll.jobs {
            let (got, _) = self.poll(poll).await;
            if got.status != 201 || got.job != Some(*expected) {
                self.miss(
                    index,
                    &format!("poll of {}", poll.runner),
                    format!("201 job {expected}"),
                    got.text(),
                );
                return;
            }
        }
        let Some(code) = poll.code else {
            return;
        };
        let (got, sent) = self.poll(poll).await;
        if got.status != code || got.job.is_some() {
            self.miss(index, &format!("poll of {}", poll.runner), code, got.text());
        }
        if let Some(expected) = poll.header
            && got.header != expected
        {
            self.miss(index, "X-GitLab-Last-Update", expected, got.header);
        }
        if let Some(cached) = poll.cached {
            // Without a scan the answer repeats the value that was sent.
            let unchanged = sent.is_some() && sent == self.held.get(&poll.runner).cloned();
            if unchanged != cached {
                self.miss(index, "answered without a scan", cached, unchanged);
            }
        }
    }

    /// One poll; also gives the `last_update` that was sent.
    async fn poll(&mut self, poll: &PollStep) -> (Got, Option<String>) {
        let sent = if poll.fresh {
            None
        } else {
            self.held.get(&poll.runner).cloned()
        };
        let body = self.poll_body(&poll.runner, sent.as_deref());
        let token = self.token(&poll.runner);
        let answer = self
            .request(
                "POST",
                "jobs/request",
                (header::RUNNER_TOKEN, &token),
                &body,
            )
            .await;
        let held = answer
            .headers()
            .get(header::X_GITLAB_LAST_UPDATE)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        if let Some(held) = &held {
            self.held.insert(poll.runner.clone(), held.clone());
        }
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let job = body["id"].as_i64().filter(|_| answer.status() == 201);
        if let (Some(job), Some(token)) = (job, body["token"].as_str()) {
            self.workers.insert(job, token.to_owned());
        }
        let got = Got {
            status: answer.status().as_u16(),
            job,
            header: held.is_some(),
        };
        (got, sent)
    }

    fn poll_body(&self, runner: &str, last_update: Option<&str>) -> Value {
        let features: serde_json::Map<String, Value> = self
            .vector
            .features(runner)
            .into_iter()
            .map(|feature| (feature, json!(true)))
            .collect();
        let mut body = json!({
            "token": self.token(runner),
            "system_id": format!("s_{runner}"),
            "info": {"name": "gauntlet", "features": features},
        });
        if let Some(last_update) = last_update {
            body["last_update"] = json!(last_update);
        }
        body
    }

    async fn request(
        &self,
        method: &str,
        path: &str,
        (name, token): (&str, &str),
        body: &Value,
    ) -> Response<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(format!(
                "http://gitlab.example.com{}{path}",
                protocol::path::API_V4
            ))
            .header("content-type", "application/json")
            .header(name, token)
            .body(Bytes::from(body.to_string()))
            .unwrap_or_default();
        self.server.answer(request).await.unwrap_or_default()
    }

    /// Polls whose order was fixed before any of them assigned. Requests in one process cannot stop
    /// half way, so both halves are called as the server calls them.
    fn race(&mut self, index: usize, entries: &[RaceEntry]) {
        let pending: Vec<_> = entries
            .iter()
            .map(|entry| {
                let body = self.poll_body(&entry.runner, None);
                self.server.act(|world, now| begin(world, now, &body))
            })
            .collect();
        for (entry, pending) in entries.iter().zip(pending) {
            let Some(pending) = pending else {
                self.miss(index, "race", "a body that decodes", "it does not");
                return;
            };
            let answer = self
                .server
                .act(|world, now| world.finish_request(now, pending));
            let got = match answer.job_id() {
                Some(job) => RaceResult::Job(job),
                None => RaceResult::Code(answer.status()),
            };
            self.write_race(&entry.runner, &answer);
            if got != entry.result {
                let what = format!("race, poll of {}", entry.runner);
                self.miss(
                    index,
                    &what,
                    format!("{:?}", entry.result),
                    format!("{got:?}"),
                );
            }
            if let PollAnswer::Job(payload) = &answer
                && let (Some(job), token) = (answer.job_id(), payload_token(payload))
            {
                self.workers.insert(job, token);
            }
        }
    }

    fn write_race(&self, runner: &str, answer: &PollAnswer) {
        self.server.log().add(
            runner,
            What::Request {
                kind: "poll",
                job: None,
                says: String::new(),
                status: answer.status(),
                answer: answer
                    .job_id()
                    .map_or_else(String::new, |job| format!("job {job}")),
                fault: false,
            },
        );
    }

    async fn finish(&mut self, index: usize, job: i64, failed: bool, new_id: Option<i64>) {
        let mut body = json!({"state": if failed { "failed" } else { "success" }});
        if failed {
            body["failure_reason"] = json!("script_failure");
            body["exit_code"] = json!(1);
        }
        let status = self.update(job, body).await;
        if status != 200 {
            self.miss(index, &format!("finish of job {job}"), 200, status);
        }
        self.exists(index, new_id);
    }

    async fn update(&mut self, job: i64, mut body: Value) -> u16 {
        let token = self.workers.get(&job).cloned().unwrap_or_default();
        body["token"] = json!(token);
        let answer = self
            .request(
                "PUT",
                &protocol::path::job(job),
                (header::JOB_TOKEN, &token),
                &body,
            )
            .await;
        answer.status().as_u16()
    }

    fn set(
        &mut self,
        index: usize,
        runner: Option<&str>,
        project: Option<&str>,
        attributes: &BTreeMap<String, Value>,
    ) {
        let flag = |name: &str| attributes.get(name).and_then(Value::as_bool);
        let result = if let Some(name) = runner {
            let change = RunnerChange {
                paused: flag("active").map(|active| !active),
                run_untagged: flag("run_untagged"),
                locked: flag("locked"),
                ..RunnerChange::default()
            };
            let id = self.names.runners.get(name).copied().unwrap_or_default();
            self.server
                .act(|world, now| world.set_runner(now, id, change))
        } else {
            let change = ProjectChange {
                instance_runners: flag("instance_runners"),
                group_runners: flag("group_runners"),
                builds: flag("builds"),
                ..ProjectChange::default()
            };
            let name = project.unwrap_or_default();
            let id = self.names.projects.get(name).copied().unwrap_or_default();
            self.server
                .act(|world, now| world.set_project(now, id, change))
        };
        if let Some(unknown) = attributes
            .keys()
            .find(|name| !SETTABLE.contains(&name.as_str()))
        {
            self.miss(
                index,
                "set",
                format!("one of {}", SETTABLE.join(", ")),
                unknown,
            );
        }
        if let Err(error) = result {
            self.miss(index, "set", "the change is allowed", error);
        }
    }

    /// Vectors about the effective timeout: each case is a world of its own.
    fn timeouts(&mut self) {
        for (index, case) in self.vector.timeouts.iter().enumerate() {
            match super::timeouts::effective(case) {
                Ok(seen) => {
                    let expected = super::timeouts::expected(case);
                    if seen != expected {
                        self.miss(index, "timeout", expected, seen);
                    }
                }
                Err(error) => self.miss(index, "timeout", "a world for the case", error),
            }
        }
    }
}

fn begin(
    world: &mut World,
    now: jiff::Timestamp,
    body: &Value,
) -> Option<mock_gitlab::world::PendingRequest> {
    let bytes = body.to_string();
    let request = protocol::go_json::from_slice(bytes.as_bytes()).ok()?;
    Some(world.begin_request(now, &request, "127.0.0.1"))
}

fn payload_token(payload: &protocol::JobPayload) -> String {
    serde_json::to_value(payload)
        .ok()
        .and_then(|payload| payload["token"].as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// What a `set` step may change.
const SETTABLE: [&str; 6] = [
    "active",
    "run_untagged",
    "locked",
    "instance_runners",
    "group_runners",
    "builds",
];
