//! In random worlds, `why_not` is `None` exactly for the job that the next poll gets.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use protocol::{FailureReason, Features, JobRequest};

use crate::world::definition::{Need, When};
use crate::world::setup::{ProjectChange, RunnerChange};
use crate::world::state::{AccessLevel, RunnerType};
use crate::world::{
    Flag, JobDefinition, NewGroup, NewJob, NewPipeline, NewPipelineJob, NewProject, NewRunner,
    Settings, World,
};

pub(in crate::world) const RUNNERS: i64 = 4;
const PROJECTS: i64 = 3;

#[derive(Clone, Debug)]
pub(in crate::world) enum Op {
    Pass(i64),
    Poll(i64),
    Job(i64, bool, Arc<JobDefinition>),
    Pipeline(i64, Vec<JobDefinition>),
    Finish(usize, bool),
    Cancel(usize),
    Play(usize),
    Retry(usize),
    Block(bool),
    Pause(i64, bool),
    Tags(i64, Vec<String>, bool),
    Switches(i64, ProjectChange),
    Flag(Flag, bool),
    ResetToken(i64),
    Migrations(bool),
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(vec!["a", "b"], 0..=2)
        .prop_map(|tags| tags.into_iter().map(str::to_owned).collect())
}

fn definition() -> impl Strategy<Value = JobDefinition> {
    let requires = prop_oneof![
        6 => Just(vec![]),
        1 => Just(vec!["image".to_owned()]),
    ];
    let resource = prop_oneof![4 => Just(None), 1 => Just(Some("db".to_owned()))];
    let when = prop_oneof![
        6 => Just(When::OnSuccess),
        1 => Just(When::Manual),
        1 => Just(When::Delayed),
    ];
    (tags(), requires, resource, when, 0..2_u8, any::<bool>()).prop_map(
        |(tags, requires, resource_group, when, retries, allow_failure)| {
            let mut definition = JobDefinition {
                tags,
                requires,
                resource_group,
                when,
                start_in: 30,
                allow_failure,
                ..JobDefinition::default()
            };
            definition.retry.max = retries;
            definition
        },
    )
}

/// Three stages, and the last job by `needs`.
fn pipeline() -> impl Strategy<Value = Vec<JobDefinition>> {
    proptest::collection::vec(definition(), 1..5).prop_map(|mut jobs| {
        let count = jobs.len();
        for (index, job) in jobs.iter_mut().enumerate() {
            job.name = format!("job {index}");
            job.stage = ["build", "test", "deploy"][index % 3].to_owned();
            if index == 3 && count == 4 {
                job.needs = Some(vec![Need {
                    job: "job 1".to_owned(),
                    artifacts: true,
                    optional: false,
                }]);
                job.stage = "deploy".to_owned();
            }
        }
        jobs
    })
}

pub(in crate::world) fn op() -> impl Strategy<Value = Op> {
    let runner = 1..=RUNNERS;
    let project = 1..=PROJECTS;
    let switches = (
        any::<Option<bool>>(),
        any::<Option<bool>>(),
        proptest::option::weighted(0.2, any::<bool>()),
    )
        .prop_map(|(instance_runners, group_runners, builds)| ProjectChange {
            instance_runners,
            group_runners,
            builds,
            ..ProjectChange::default()
        });
    let flag = prop_oneof![
        Just(Flag::CiQueueingDisasterRecoveryDisableFairScheduling),
        Just(Flag::AllowRunnerJobAcknowledgement),
        Just(Flag::CiRegisterJobTemporaryLockDisabled),
    ];
    prop_oneof![
        4 => prop_oneof![Just(1), Just(4), Just(40), Just(200)].prop_map(Op::Pass),
        12 => runner.clone().prop_map(Op::Poll),
        8 => (project.clone(), any::<bool>(), definition())
            .prop_map(|(project, protected, job)| Op::Job(project, protected, Arc::new(job))),
        2 => (project.clone(), pipeline()).prop_map(|(project, jobs)| Op::Pipeline(project, jobs)),
        4 => (0..40_usize, any::<bool>()).prop_map(|(job, ok)| Op::Finish(job, ok)),
        1 => (0..40_usize).prop_map(Op::Cancel),
        1 => (0..40_usize).prop_map(Op::Play),
        1 => (0..40_usize).prop_map(Op::Retry),
        1 => any::<bool>().prop_map(Op::Block),
        1 => (runner.clone(), any::<bool>()).prop_map(|(runner, on)| Op::Pause(runner, on)),
        1 => (runner.clone(), tags(), any::<bool>())
            .prop_map(|(runner, tags, untagged)| Op::Tags(runner, tags, untagged)),
        1 => (project, switches).prop_map(|(project, change)| Op::Switches(project, change)),
        1 => (flag, any::<bool>()).prop_map(|(flag, on)| Op::Flag(flag, on)),
        1 => runner.prop_map(Op::ResetToken),
        1 => proptest::bool::weighted(0.2).prop_map(Op::Migrations),
    ]
}

pub(in crate::world) fn world(now: Timestamp, limit: u32) -> World {
    let settings = Settings {
        runner_jobs_request_api_limit: limit,
        runner_token_expiration_interval_s: Some(300),
        ..Settings::default()
    };
    let mut world = World::new(settings, 0);
    let outer = world.add_group(now, NewGroup::default()).unwrap();
    let inner = NewGroup {
        parent: Some(outer),
        ..NewGroup::default()
    };
    let inner = world.add_group(now, inner).unwrap();
    for (index, group) in [None, Some(outer), Some(inner)].into_iter().enumerate() {
        let path = format!("project-{index}");
        let project = NewProject {
            path,
            group,
            ..NewProject::default()
        };
        world.add_project(now, project).unwrap();
    }
    let all = NewRunner {
        tags: vec!["a".to_owned(), "b".to_owned()],
        ..NewRunner::default()
    };
    for runner in [
        all.clone(),
        NewRunner {
            access_level: AccessLevel::RefProtected,
            ..all.clone()
        },
        NewRunner {
            runner_type: RunnerType::GroupType,
            group: Some(outer),
            ..all.clone()
        },
        NewRunner {
            runner_type: RunnerType::ProjectType,
            projects: vec![1, 3],
            ..all
        },
    ] {
        world.add_runner(now, runner).unwrap();
    }
    world
}

/// The request of a runner; odd ones can run everything.
pub(in crate::world) fn request(world: &World, runner: i64) -> JobRequest {
    let mut request = JobRequest {
        token: world
            .runner(runner)
            .map_or_else(String::new, |runner| runner.token.to_string()),
        ..JobRequest::default()
    };
    request.info.features = Features {
        image: runner % 2 == 1,
        two_phase_job_commit: runner == 1,
        ..Features::default()
    };
    request
}

fn nth(world: &World, index: usize) -> Option<i64> {
    let count = world.jobs().count();
    if count == 0 {
        return None;
    }
    world.jobs().nth(index % count).map(|job| job.id)
}

pub(in crate::world) fn apply(world: &mut World, now: Timestamp, op: Op) {
    let job = |world: &World, index| nth(world, index).unwrap_or_default();
    // What cannot be done in a state is an error that changes nothing.
    match op {
        Op::Pass(_) | Op::Poll(_) => {}
        Op::Job(project, protected, definition) => {
            let new = NewJob {
                protected,
                ..NewJob::pending(project, definition)
            };
            world.add_job(now, new).unwrap();
        }
        Op::Pipeline(project, jobs) => {
            let jobs = jobs.into_iter().map(|definition| NewPipelineJob {
                id: None,
                definition: Arc::new(definition),
            });
            let new = NewPipeline {
                project,
                jobs: jobs.collect(),
                ..NewPipeline::default()
            };
            world.add_pipeline(now, new).unwrap();
        }
        Op::Finish(index, ok) => {
            let failure = (!ok).then_some((FailureReason::ScriptFailure, Some(1)));
            let _ = world.finish_job(now, job(world, index), failure);
        }
        Op::Cancel(index) => drop(world.cancel_job(now, job(world, index), false)),
        Op::Play(index) => drop(world.play_job(now, job(world, index))),
        Op::Retry(index) => drop(world.retry_job(now, job(world, index))),
        Op::Block(on) => world.set_user_blocked(1, on).unwrap(),
        Op::Pause(runner, on) => {
            let paused = Some(on);
            let change = RunnerChange {
                paused,
                ..RunnerChange::default()
            };
            world.set_runner(now, runner, change).unwrap();
        }
        Op::Tags(runner, tags, untagged) => {
            let change = RunnerChange {
                // A runner without tags must take untagged jobs.
                run_untagged: Some(untagged || tags.is_empty()),
                tags: Some(tags),
                ..RunnerChange::default()
            };
            world.set_runner(now, runner, change).unwrap();
        }
        Op::Switches(project, change) => world.set_project(now, project, change).unwrap(),
        Op::Flag(flag, on) => world.set_flag(flag, on),
        Op::ResetToken(runner) => {
            let token = world.runner(runner).map(|runner| runner.token.clone());
            let _ = world.reset_token(now, token.as_deref());
        }
        Op::Migrations(on) => world.change_settings(|settings| settings.migrations_running = on),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random worlds and steps; before every poll, every job is asked for.
    #[test]
    fn none_is_the_job_of_the_next_poll(
        limit in prop_oneof![4 => Just(0_u32), 1 => Just(3_u32)],
        ops in proptest::collection::vec(op(), 1..150),
    ) {
        let mut now = Timestamp::constant(1_700_000_000, 0);
        let mut world = world(now, limit);
        // Makes the features of every runner known.
        for runner in 1..=RUNNERS {
            let request = request(&world, runner);
            world.request_job(now, &request, "127.0.0.1");
        }
        for op in ops {
            match op {
                Op::Pass(seconds) => now += SignedDuration::from_secs(seconds),
                Op::Poll(runner) => {
                    world.tick(now);
                    let jobs: Vec<i64> = world.jobs().map(|job| job.id).collect();
                    let mut order = world.queue_for(runner, usize::MAX);
                    order.sort_unstable();
                    let in_order = jobs.iter().copied();
                    let in_order = in_order.filter(|job| world.is_in_queue_of(runner, *job));
                    prop_assert_eq!(in_order.collect::<Vec<_>>(), order);
                    let reasons = world.why_nots(now, runner, &jobs);
                    let none: Vec<i64> = jobs
                        .iter()
                        .zip(&reasons)
                        .filter_map(|(job, reason)| reason.is_none().then_some(*job))
                        .collect();
                    // One question for all is the same as one for each.
                    for (job, reason) in jobs.iter().zip(&reasons).take(5) {
                        prop_assert_eq!(&world.why_not(now, runner, *job), reason);
                    }
                    let request = request(&world, runner);
                    let answer = world.request_job(now, &request, "127.0.0.1");
                    let given: Vec<i64> = answer.job_id().into_iter().collect();
                    prop_assert_eq!(none, given, "{:?}", reasons);
                }
                op => apply(&mut world, now, op),
            }
        }
    }
}
