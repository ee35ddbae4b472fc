//! The queue vectors against the world itself.
//!
//! One table would do; one test per vector says at a glance which one fails, and lets the conformance
//! list name them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mock_gitlab::vectors::{Names, PollStep, RaceResult, Step, Vector, VectorFile};
use mock_gitlab::world::setup::{ProjectChange, RunnerChange};
use mock_gitlab::world::{PollAnswer, RawUpdate, Settings, World};
use protocol::{FailureReason, JobRequest};

fn file() -> VectorFile {
    VectorFile::parse(include_str!("../../scenarios/catalogue/queueing.yml"))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Plays one vector.
struct Player {
    vector: Vector,
    world: World,
    names: Names,
    now: Timestamp,
    /// `last_update` that each runner holds.
    held: BTreeMap<String, String>,
    tokens: BTreeMap<i64, String>,
}

fn play(id: &str) {
    let file = file();
    let vector = file
        .find(id)
        .unwrap_or_else(|| panic!("no vector {id}"))
        .clone();
    let mut world = World::new(Settings::default(), 7);
    let now = Timestamp::constant(1_700_000_000, 0);
    let names = vector
        .build(now, &mut world)
        .unwrap_or_else(|error| panic!("{id}: {error}"));
    let steps = vector.steps.clone();
    assert!(!steps.is_empty(), "{id} has no steps");
    let mut player = Player {
        vector,
        world,
        names,
        now,
        held: BTreeMap::new(),
        tokens: BTreeMap::new(),
    };
    for (index, step) in steps.iter().enumerate() {
        player.step(&format!("{id} step {index}"), step);
    }
}

impl Player {
    fn request(&self, runner: &str, fresh: bool) -> JobRequest {
        let id = self.names.runner(runner).expect("runner of the vector");
        let mut request = JobRequest {
            token: self.world.runner(id).expect("runner").token.to_string(),
            system_id: format!("s_{runner}"),
            ..JobRequest::default()
        };
        for feature in self.vector.features(runner) {
            assert!(request.info.features.set(&feature, true), "{feature}");
        }
        if !fresh {
            request.last_update = self.held.get(runner).cloned().unwrap_or_default();
        }
        request
    }

    fn note(&mut self, runner: &str, answer: &PollAnswer) {
        match answer {
            PollAnswer::NoJob { last_update, .. } => {
                self.held.insert(runner.to_owned(), last_update.to_string());
            }
            PollAnswer::Job(payload) => {
                self.tokens.insert(payload.id.get(), payload.token.get());
            }
            _ => {}
        }
    }

    fn poll(&mut self, runner: &str, fresh: bool) -> PollAnswer {
        let request = self.request(runner, fresh);
        let answer = self.world.request_job(self.now, &request, "127.0.0.1");
        self.note(runner, &answer);
        answer
    }

    fn poll_step(&mut self, at: &str, step: &PollStep) {
        for job in &step.jobs {
            let answer = self.poll(&step.runner, step.fresh);
            assert_eq!(answer.job_id(), Some(*job), "{at}: {answer:?}");
        }
        if let Some(code) = step.code {
            let answer = self.poll(&step.runner, step.fresh);
            assert_eq!(answer.status(), code, "{at}: {answer:?}");
            let scanned = match &answer {
                PollAnswer::NoJob { scanned, .. } => Some(*scanned),
                _ => None,
            };
            if let Some(cached) = step.cached {
                assert_eq!(scanned, Some(!cached), "{at}");
            }
            if let Some(header) = step.header {
                assert_eq!(scanned.is_some(), header, "{at}");
            }
        }
    }

    fn step(&mut self, at: &str, step: &Step) {
        match step {
            Step::Poll(step) => self.poll_step(at, step),
            Step::Race(entries) => {
                let mut begun = Vec::new();
                for entry in entries {
                    let request = self.request(&entry.runner, false);
                    begun.push(self.world.begin_request(self.now, &request, "127.0.0.1"));
                }
                for (entry, pending) in entries.iter().zip(begun) {
                    let answer = self.world.finish_request(self.now, pending);
                    self.note(&entry.runner, &answer);
                    match entry.result {
                        RaceResult::Job(job) => assert_eq!(answer.job_id(), Some(job), "{at}"),
                        RaceResult::Code(code) => assert_eq!(answer.status(), code, "{at}"),
                    }
                }
                self.advance(3);
            }
            Step::Finish {
                job,
                failed,
                new_id,
            } => {
                let failure = failed.then_some((FailureReason::ScriptFailure, Some(1)));
                self.world
                    .finish_job(self.now, *job, failure)
                    .unwrap_or_else(|error| panic!("{at}: {error}"));
                self.expect_new(at, *new_id);
            }
            Step::Cancel(job) => {
                let done = self.world.cancel_job(self.now, *job, false);
                assert!(done.is_ok(), "{at}: {done:?}");
            }
            Step::Play(job) => {
                let done = self.world.play_job(self.now, *job);
                assert!(done.is_ok(), "{at}: {done:?}");
            }
            Step::Ack(job) => {
                let update = RawUpdate {
                    token: self.tokens.get(job).map(String::as_str),
                    state: Some("running"),
                    ..RawUpdate::default()
                };
                let answer = self.world.update_job(self.now, *job, update, "127.0.0.1");
                assert_eq!(answer.map(|a| a.status), Ok(200), "{at}");
            }
            Step::Advance(seconds) => self.advance(*seconds),
            Step::Sweep { sweep, new_id } => {
                self.world.sweep(self.now, *sweep);
                self.expect_new(at, *new_id);
            }
            Step::Set {
                runner,
                project,
                attributes,
            } => self.set(at, runner.as_deref(), project.as_deref(), attributes),
            Step::Add(jobs) => {
                for (id, job) in jobs {
                    let new = job.to_new_job(*id, &self.names).expect("names");
                    self.world.add_job(self.now, new).expect("new job");
                }
            }
            Step::Expect(expected) => {
                for (id, status) in expected {
                    let seen = self.world.job(*id).map(|job| job.status);
                    assert_eq!(seen, Some(*status), "{at}: job {id}");
                }
            }
            Step::Reason(expected) => {
                for (id, reason) in expected {
                    let job = self.world.job(*id).expect("job");
                    let seen = job.failure_reason.as_deref();
                    assert_eq!(seen, Some(reason.as_str()), "{at}: job {id}");
                }
            }
        }
    }

    fn advance(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.world.tick(self.now);
    }

    fn expect_new(&self, at: &str, new_id: Option<i64>) {
        if let Some(id) = new_id {
            let newest = self.world.jobs().next_back().map(|job| job.id);
            assert_eq!(newest, Some(id), "{at}: id of the retry");
        }
    }

    fn set(
        &mut self,
        at: &str,
        runner: Option<&str>,
        project: Option<&str>,
        attributes: &BTreeMap<String, serde_json::Value>,
    ) {
        let flag = |name: &str| attributes.get(name).and_then(serde_json::Value::as_bool);
        if let Some(runner) = runner {
            let change = RunnerChange {
                paused: flag("active").map(|active| !active),
                run_untagged: flag("run_untagged"),
                ..RunnerChange::default()
            };
            assert_ne!(change, RunnerChange::default(), "{at}: unknown attribute");
            let id = self.names.runner(runner).expect("runner");
            self.world.set_runner(self.now, id, change).expect("set");
        }
        if let Some(project) = project {
            let change = ProjectChange {
                instance_runners: flag("instance_runners"),
                group_runners: flag("group_runners"),
                builds: flag("builds"),
                ..ProjectChange::default()
            };
            assert_ne!(change, ProjectChange::default(), "{at}: unknown attribute");
            let id = self.names.project(project).expect("project");
            self.world.set_project(self.now, id, change).expect("set");
        }
    }
}

#[test]
fn the_file_decodes() {
    let file = file();
    assert_eq!(file.vectors.len(), 36);
    let ids: Vec<String> = file.vectors.iter().map(Vector::check_id).collect();
    assert_eq!(ids[..3], ["QUE-DOC-1", "QUE-DOC-2", "QUE-V01"]);
    assert_eq!(ids[35], "QUE-V34");
}

/// Proves QUE-DOC-1.
#[test]
fn doc_1() {
    play("DOC-1");
}

/// Proves QUE-DOC-2.
#[test]
fn doc_2() {
    play("DOC-2");
}

/// Proves QUE-V01.
#[test]
fn v01_project_runner_fifo() {
    play("V01");
}

/// Proves QUE-V02.
#[test]
fn v02_serial_instance_runner_degenerates_to_fifo() {
    play("V02");
}

/// Proves QUE-V03.
#[test]
fn v03_project_and_group_runner_load_is_not_counted() {
    play("V03");
}

/// Proves QUE-V04.
#[test]
fn v04_count_spans_all_instance_runners_and_tags() {
    play("V04");
}

/// Proves QUE-V05.
#[test]
fn v05_hog_versus_many_projects() {
    play("V05");
}

/// Proves QUE-V06.
#[test]
fn v06_tie_break_is_id_not_pending_time() {
    play("V06");
}

/// Proves QUE-V07.
#[test]
fn v07_tag_subset() {
    play("V07");
}

/// Proves QUE-V08.
#[test]
fn v08_run_untagged_off() {
    play("V08");
}

/// Proves QUE-V09.
#[test]
fn v09_protected_runner() {
    play("V09");
}

/// Proves QUE-V10.
#[test]
fn v10_paused() {
    play("V10");
}

/// Proves QUE-V11.
#[test]
fn v11_locked_still_serves_its_projects() {
    play("V11");
}

/// Proves QUE-V12.
#[test]
fn v12_group_inheritance() {
    play("V12");
}

/// Proves QUE-V13.
#[test]
fn v13_instance_runners_toggle() {
    play("V13");
}

/// Proves QUE-V14.
#[test]
fn v14_builds_disabled_after_enqueue_on_project_runner() {
    play("V14");
}

/// Proves QUE-V15.
#[test]
fn v15_unsupported_feature_drops_the_job() {
    play("V15");
}

/// Proves QUE-V16.
#[test]
fn v16_racing_pollers_follow_a_stale_order() {
    play("V16");
}

/// Proves QUE-V17.
#[test]
fn v17_race_for_the_last_job() {
    play("V17");
}

/// Proves QUE-V18.
#[test]
fn v18_depth_limit() {
    play("V18");
}

/// Proves QUE-V19.
#[test]
fn v19_canceled_while_pending() {
    play("V19");
}

/// Proves QUE-V20.
#[test]
fn v20_canceling_is_not_counted() {
    play("V20");
}

/// Proves QUE-V21.
#[test]
fn v21_retry_gets_a_new_id() {
    play("V21");
}

/// Proves QUE-V22.
#[test]
fn v22_stage_gating() {
    play("V22");
}

/// Proves QUE-V23.
#[test]
fn v23_on_failure_always_allow_failure() {
    play("V23");
}

/// Proves QUE-V24.
#[test]
fn v24_needs_dag() {
    play("V24");
}

/// Proves QUE-V25.
#[test]
fn v25_manual_optional_and_blocking() {
    play("V25");
}

/// Proves QUE-V26.
#[test]
fn v26_delayed() {
    play("V26");
}

/// Proves QUE-V27.
#[test]
fn v27_resource_group_oldest_first() {
    play("V27");
}

/// Proves QUE-V28.
#[test]
fn v28_resource_group_newest_first() {
    play("V28");
}

/// Proves QUE-V29.
#[test]
fn v29_resource_group_newest_ready_first() {
    play("V29");
}

/// Proves QUE-V30.
#[test]
fn v30_fair_scheduling_disabled() {
    play("V30");
}

/// Proves QUE-V31.
#[test]
fn v31_two_phase_assignment_is_invisible_to_fairness() {
    play("V31");
}

/// Proves QUE-V32.
#[test]
fn v32_last_update_token() {
    play("V32");
}

/// Proves QUE-V33.
#[test]
fn v33_runner_vanishes() {
    play("V33");
}
