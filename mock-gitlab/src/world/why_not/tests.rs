//! Each criterion by itself, with its sentence.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use protocol::{JobRequest, JobStatus};

use crate::world::definition::{Need, When};
use crate::world::setup::{ProjectChange, RunnerChange};
use crate::world::state::{AccessLevel, ProcessMode, RunnerType};
use crate::world::{
    JobDefinition, NewGroup, NewJob, NewPipeline, NewPipelineJob, NewProject, NewRunner, RunnerId,
    Settings, World,
};

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

fn world() -> World {
    let mut world = World::new(Settings::default(), 0);
    let group = world.add_group(NOW, NewGroup::default()).unwrap();
    let project = NewProject {
        group: Some(group),
        ..NewProject::default()
    };
    world.add_project(NOW, project).unwrap();
    world
}

fn add_runner(world: &mut World, runner: NewRunner) -> RunnerId {
    world.add_runner(NOW, runner).unwrap()
}

fn definition(tags: &[&str]) -> Arc<JobDefinition> {
    Arc::new(JobDefinition {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..JobDefinition::default()
    })
}

fn add_job(world: &mut World, definition: Arc<JobDefinition>) -> i64 {
    world.add_job(NOW, NewJob::pending(1, definition)).unwrap()
}

fn poll(world: &mut World, now: Timestamp, runner: RunnerId) -> Option<i64> {
    let request = JobRequest {
        token: world.runner(runner).unwrap().token.to_string(),
        ..JobRequest::default()
    };
    world.request_job(now, &request, "127.0.0.1").job_id()
}

fn says(world: &World, runner: RunnerId, job: i64) -> String {
    let reason = world.why_not(NOW, runner, job);
    reason.map_or_else(|| "-".to_owned(), |reason| reason.to_string())
}

/// What the runner is and may.
#[test]
fn runners() {
    let mut world = world();
    world.add_group(NOW, NewGroup::default()).unwrap();
    world
        .add_project(
            NOW,
            NewProject {
                path: "other".into(),
                ..NewProject::default()
            },
        )
        .unwrap();
    let plain = add_job(&mut world, definition(&[]));
    let tagged = add_job(&mut world, definition(&["z", "docker", "linux", "z"]));
    let mut expect = |runner: NewRunner, of_plain: &str, of_tagged: &str| {
        let id = add_runner(&mut world, runner);
        assert_eq!(says(&world, id, plain), of_plain);
        assert_eq!(says(&world, id, tagged), of_tagged);
    };
    let all = NewRunner {
        tags: vec!["linux".into(), "docker".into(), "z".into()],
        ..NewRunner::default()
    };
    let group = |group| NewRunner {
        runner_type: RunnerType::GroupType,
        group: Some(group),
        ..all.clone()
    };
    let order = "1 job stands before it, job 1 is next";
    let fair_order = &format!("fair order: the project has 0 running, {order}");
    let paused = "the runner is paused";
    expect(
        NewRunner {
            paused: true,
            ..all.clone()
        },
        paused,
        paused,
    );
    expect(
        NewRunner {
            tags: vec!["linux".into()],
            ..all.clone()
        },
        "-",
        "the runner lacks the tags `docker`, `z`",
    );
    expect(
        NewRunner {
            tags: vec!["linux".into(), "z".into()],
            ..all.clone()
        },
        "-",
        "the runner lacks the tag `docker`",
    );
    expect(
        NewRunner {
            run_untagged: false,
            ..all.clone()
        },
        "the job has no tags, and the runner takes none without",
        "-",
    );
    let protected = "the runner takes protected jobs only, and the job is not protected";
    expect(
        NewRunner {
            access_level: AccessLevel::RefProtected,
            ..all.clone()
        },
        protected,
        protected,
    );
    expect(group(1), "-", order);
    let outside = "project 1 is not below the runner's group 2";
    expect(group(2), outside, outside);
    let project = NewRunner {
        runner_type: RunnerType::ProjectType,
        projects: vec![2],
        ..all.clone()
    };
    let unassigned = "the runner is not assigned to project 1";
    expect(project, unassigned, unassigned);
    expect(all, "-", fair_order);
    assert_eq!(says(&world, 99, plain), "there is no such runner");
    assert_eq!(says(&world, 1, 99), "there is no such job");
}

/// What the project allows: a waiting job goes by its snapshot, others by the project of now.
#[test]
fn projects() {
    let mut world = world();
    let instance = add_runner(&mut world, NewRunner::default());
    let group = add_runner(
        &mut world,
        NewRunner {
            runner_type: RunnerType::GroupType,
            group: Some(1),
            ..NewRunner::default()
        },
    );
    let change = |world: &mut World, change| world.set_project(NOW, 1, change).unwrap();
    let job = add_job(&mut world, definition(&[]));
    let manual = NewJob {
        status: JobStatus::Manual,
        ..NewJob::pending(1, definition(&[]))
    };
    let manual = world.add_job(NOW, manual).unwrap();
    change(
        &mut world,
        ProjectChange {
            instance_runners: Some(false),
            group_runners: Some(false),
            ..ProjectChange::default()
        },
    );
    for job in [job, manual] {
        assert_eq!(
            says(&world, instance, job),
            "project 1 does not let instance runners take the job"
        );
        assert_eq!(
            says(&world, group, job),
            "project 1 does not let group runners take the job"
        );
    }
    change(
        &mut world,
        ProjectChange {
            instance_runners: Some(true),
            group_runners: Some(true),
            builds: Some(false),
            ..ProjectChange::default()
        },
    );
    // The job waited before: a poll takes it, and fails it.
    assert_eq!(
        says(&world, instance, job),
        "the poll would fail the job with builds_disabled"
    );
    assert_eq!(
        says(&world, group, job),
        "the poll would fail the job with builds_disabled"
    );
    for runner in [instance, group] {
        assert_eq!(
            says(&world, runner, manual),
            "CI is switched off for project 1"
        );
    }
}

/// What the job waits for.
#[test]
fn jobs_that_are_not_ready() {
    let mut world = world();
    world
        .add_project(
            NOW,
            NewProject {
                path: "ordered".into(),
                resource_group_modes: std::collections::BTreeMap::from([(
                    String::new(),
                    ProcessMode::OldestFirst,
                )]),
                ..NewProject::default()
            },
        )
        .unwrap();
    let runner = add_runner(&mut world, NewRunner::default());
    let job = |name: &str, stage: &str, change: &dyn Fn(&mut JobDefinition)| {
        let mut definition = JobDefinition {
            name: name.into(),
            stage: stage.into(),
            ..JobDefinition::default()
        };
        change(&mut definition);
        NewPipelineJob {
            id: None,
            definition: Arc::new(definition),
        }
    };
    let need = |name: &str| {
        Some(vec![Need {
            job: name.into(),
            artifacts: true,
            optional: false,
        }])
    };
    let resource = |definition: &mut JobDefinition| definition.resource_group = Some("db".into());
    let pipeline = |project, jobs| NewPipeline {
        project,
        jobs,
        ..NewPipeline::default()
    };
    world
        .add_pipeline(
            NOW,
            pipeline(
                1,
                vec![
                    job("a", "build", &|_| {}),
                    job("optional", "build", &|job| {
                        job.when = When::Manual;
                        job.allow_failure = true;
                    }),
                    job("b", "test", &|_| {}),
                    job("c", "deploy", &|job| job.needs = need("b")),
                    job("d", "build", &|job| {
                        job.when = When::Delayed;
                        job.start_in = 60;
                    }),
                    job("e", "build", &resource),
                    job("f", "build", &resource),
                ],
            ),
        )
        .unwrap();
    let ordered = [job("g", "build", &|_| {}), job("h", "test", &resource)];
    world
        .add_pipeline(NOW, pipeline(2, ordered.to_vec()))
        .unwrap();
    world
        .add_pipeline(NOW, pipeline(2, vec![job("i", "build", &resource)]))
        .unwrap();
    for (job, expected) in [
        (1, "-"),
        (2, "somebody has to play the job first"),
        (3, "job 1 of the earlier stage `build` is pending"),
        (4, "the job needs `b` (job 3), which is created"),
        (5, "the job is delayed until 2023-11-14T22:14:20Z"),
        (
            6,
            "fair order: the project has 0 running, 1 job stands before it, job 1 is next",
        ),
        (7, "job 6 has the resource of resource group `db`"),
        (
            8,
            "fair order: the project has 0 running, 2 jobs stand before it, job 1 is next",
        ),
        (9, "job 8 of the earlier stage `build` is pending"),
        (
            10,
            "resource group `db` keeps its resource for a job that is not ready",
        ),
    ] {
        assert_eq!(says(&world, runner, job), expected, "job {job}");
    }
    assert_eq!(world.waiting_jobs().count(), 10);
    assert_eq!(poll(&mut world, NOW, runner), Some(1));
    assert_eq!(says(&world, runner, 1), "the job is running");
    assert_eq!(says(&world, runner, 8), "-");
    assert_eq!(
        says(&world, runner, 6),
        "fair order: the project has 1 running, 1 job stands before it, job 8 is next"
    );
}

/// What stands between a poll and the queue, and leases, depth and the runner's token.
#[test]
fn polls() {
    let mut world = world();
    let runner = add_runner(&mut world, NewRunner::default());
    let mut jobs = Vec::new();
    let unsupported = Arc::new(JobDefinition {
        requires: vec!["image".into()],
        ..JobDefinition::default()
    });
    for _ in 0..46 {
        jobs.push(add_job(&mut world, Arc::clone(&unsupported)));
    }
    // Never heard of: it may be able to.
    assert_eq!(says(&world, runner, jobs[0]), "-");
    world.change_settings(|settings| settings.migrations_running = true);
    assert_eq!(
        says(&world, runner, jobs[0]),
        "database migrations run: polls are answered 429"
    );
    world.change_settings(|settings| settings.migrations_running = false);
    world
        .set_runner(
            NOW,
            runner,
            RunnerChange {
                paused: Some(true),
                ..RunnerChange::default()
            },
        )
        .unwrap();
    assert_eq!(poll(&mut world, NOW, runner), None);
    world
        .set_runner(
            NOW,
            runner,
            RunnerChange {
                paused: Some(false),
                ..RunnerChange::default()
            },
        )
        .unwrap();
    // Heard of, without the feature.
    assert_eq!(
        says(&world, runner, jobs[0]),
        "the poll would fail the job with runner_unsupported"
    );
    assert_eq!(
        says(&world, runner, jobs[44]),
        "the poll would fail the job with runner_unsupported"
    );
    assert_eq!(
        says(&world, runner, jobs[45]),
        "45 jobs stand before it, and a poll examines 45"
    );
    world.change_settings(|settings| settings.runner_jobs_request_api_limit = 1);
    assert_eq!(poll(&mut world, NOW, runner), None);
    assert_eq!(
        says(&world, runner, jobs[45]),
        "the runner polled too often: again in 40 s"
    );
    world.change_settings(|settings| settings.runner_jobs_request_api_limit = 0);
    assert_eq!(says(&world, runner, jobs[0]), "the job is failed");
    assert_eq!(
        says(&world, runner, jobs[45]),
        "the poll would fail the job with runner_unsupported"
    );
    world.change_settings(|settings| settings.runner_token_expiration_interval_s = Some(60));
    let token = world.runner(runner).unwrap().token.to_string();
    world.reset_token(NOW, Some(&token)).unwrap();
    let later = NOW + SignedDuration::from_secs(60);
    let reason = world
        .why_not(later, runner, jobs[45])
        .map(|reason| reason.to_string());
    assert_eq!(
        reason.as_deref(),
        Some("the runner's token is no longer valid since 2023-11-14T22:14:20Z")
    );
}

/// Wire form, as the mock API has it.
#[test]
fn json() {
    let mut world = world();
    let runner = add_runner(&mut world, NewRunner::default());
    let tagged = add_job(&mut world, definition(&["docker"]));
    let reason = world.why_not(NOW, runner, tagged);
    let text = serde_json::to_string(&reason).unwrap();
    assert_eq!(text, r#"{"reason":"missing_tags","tags":["docker"]}"#);
    assert_eq!(
        serde_json::from_str::<Option<super::WhyNot>>(&text).unwrap(),
        reason
    );
}
