//! A world that went through JSON is the same, and what cannot be one is refused.

use std::sync::Arc;

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::world::why_not::property::{Op, RUNNERS, apply, op, request, world};
use crate::world::{JobDefinition, NewArtifact, NewJob};

/// Steps of a world; gives the answers to its polls and the events.
fn play(world: &mut World, now: &mut Timestamp, ops: &[Op]) -> Vec<String> {
    let mut seen = Vec::new();
    let (before, _) = world.events_position();
    for op in ops {
        match op.clone() {
            Op::Pass(seconds) => *now += SignedDuration::from_secs(seconds),
            Op::Poll(runner) => {
                let request = request(world, runner);
                let answer = world.request_job(*now, &request, "127.0.0.1");
                seen.push(format!("{answer:?}"));
                if let Some(job) = answer.job_id() {
                    let token = world
                        .job(job)
                        .and_then(|job| job.token().map(str::to_owned));
                    let patch = world.patch_trace(
                        *now,
                        job,
                        token.as_deref(),
                        Some("0-2"),
                        false,
                        b"abc",
                        "127.0.0.1",
                    );
                    seen.push(format!("{patch:?}"));
                }
            }
            op => apply(world, *now, op),
        }
    }
    let (events, forgotten) = world.events_after(before, usize::MAX);
    assert_eq!(forgotten, 0);
    seen.extend(events.iter().map(|event| format!("{event:?}")));
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// A world that went through JSON does what the one does that it was taken from.
    #[test]
    fn a_world_that_was_kept_goes_on(
        before in proptest::collection::vec(op(), 0..80),
        after in proptest::collection::vec(op(), 1..80),
    ) {
        let mut now = Timestamp::constant(1_700_000_000, 0);
        let mut one = world(now, 0);
        for runner in 1..=RUNNERS {
            let request = request(&one, runner);
            one.request_job(now, &request, "127.0.0.1");
        }
        play(&mut one, &mut now, &before);
        let snapshot = one.snapshot();
        let text = serde_json::to_string(&snapshot).unwrap();
        let read: WorldSnapshot = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &snapshot);
        let mut two = World::of_snapshot(read).unwrap();
        prop_assert_eq!(&two.snapshot(), &snapshot);
        let mut same_time = now;
        let seen = play(&mut one, &mut now, &after);
        prop_assert_eq!(play(&mut two, &mut same_time, &after), seen);
        prop_assert_eq!(two.snapshot(), one.snapshot());
    }
}

/// A world with a bit of everything, as JSON.
fn some_world() -> (World, Value) {
    let mut now = Timestamp::constant(1_700_000_000, 0);
    let mut world = world(now, 0);
    let definition = JobDefinition {
        tags: vec!["b".to_owned(), "a".to_owned()],
        resource_group: Some("db".to_owned()),
        ..JobDefinition::default()
    };
    let plain = JobDefinition {
        name: "plain".to_owned(),
        ..JobDefinition::default()
    };
    let ops = [
        Op::Pipeline(1, vec![definition.clone(), plain.clone()]),
        Op::Job(1, true, Arc::new(plain.clone())),
        Op::Job(2, false, Arc::new(definition)),
        Op::Job(1, false, Arc::new(plain)),
        Op::Poll(1),
        Op::Pass(5),
        Op::Poll(1),
    ];
    play(&mut world, &mut now, &ops);
    let sha256 = "0123456789abcdef".repeat(4);
    let artifact = NewArtifact {
        sha256: &sha256,
        ..NewArtifact::default()
    };
    world.put_artifact(now, 1, artifact).unwrap();
    let snapshot = serde_json::to_value(world.snapshot()).unwrap();
    (world, snapshot)
}

fn read(value: Value) -> Result<World, String> {
    let snapshot = serde_json::from_value(value).map_err(|error| error.to_string())?;
    World::of_snapshot(snapshot).map_err(|error| error.to_string())
}

/// Goal: each thing that other code takes for granted is looked at, and what is wrong is named.
#[test]
fn what_cannot_be_read_is_named() {
    let (_, good) = some_world();
    assert!(read(good.clone()).is_ok());
    let table: [(&str, Value, &str); 20] = [
        (
            "/version",
            json!(1),
            "version 1 is not known: this server reads version 2",
        ),
        ("/random/word", json!("x"), "random.word is no number"),
        (
            "/random/word",
            json!((1_u128 << 68).to_string()),
            "random.word is no number",
        ),
        (
            "/next/job",
            json!(2),
            "jobs: 2 is not from 1 up to below 2, the next id",
        ),
        (
            "/next/runner",
            json!(i64::MIN),
            "runners: 1 is not from 1 up to",
        ),
        ("/jobs/0/id", json!(2), "jobs: there are two with the id 2"),
        ("/jobs/0/project", json!(99), "jobs: there is no project 99"),
        (
            "/jobs/0/pipeline",
            json!(99),
            "jobs: there is no pipeline 99",
        ),
        (
            "/pipelines/0/jobs",
            json!([99]),
            "pipelines: there is no job 99",
        ),
        (
            "/pipelines/0/jobs",
            json!([2, 1]),
            "pipelines: jobs have to ascend",
        ),
        (
            "/pipelines/0/project",
            json!(99),
            "pipelines: there is no project 99",
        ),
        (
            "/projects/0/full_path",
            json!("../x"),
            "full_path `../x` cannot be",
        ),
        (
            "/projects/0/group",
            json!(99),
            "projects: there is no group 99",
        ),
        (
            "/groups/0/traversal_ids",
            json!([99]),
            "groups: there is no group 99",
        ),
        ("/queue/0/job", json!(99), "queue: there is no job 99"),
        (
            "/queue/0/tags",
            json!(["b", "a"]),
            "queue: tags have to ascend",
        ),
        (
            "/runners/0/record/tags",
            json!(["a", "a"]),
            "runners: tags have to ascend",
        ),
        ("/logs/0/bytes", json!("!"), "logs: job 1: bytes: "),
        (
            "/artifacts/0/artifact/sha256",
            json!("../x"),
            "artifacts: job 1: file_type or sha256",
        ),
        (
            "/events/kept/0/seq",
            json!(7),
            "events: 7 stands where 1 belongs",
        ),
    ];
    for (place, value, expected) in table {
        let mut bad = good.clone();
        *bad.pointer_mut(place)
            .unwrap_or_else(|| panic!("{place}: {good}")) = value;
        let error = read(bad).unwrap_err();
        assert!(error.starts_with(expected), "{place}: {error}");
    }
    let mut bad = good.clone();
    let token = good["runners"][0]["record"]["token"].clone();
    bad["runners"][1]["record"]["token"] = token.clone();
    let error = read(bad).unwrap_err();
    assert_eq!(error, "runners: token: `[hidden]` is there twice");
    let mut bad = good.clone();
    bad["events"]["sequence"] = json!(0);
    assert!(read(bad).unwrap_err().starts_with("events: "));
}

/// Goal: the key of token tables is the server's, whatever world it has, and nothing that can be seen depends
/// on it.
#[test]
fn the_key_of_token_tables_stays() {
    let (mut one, value) = some_world();
    let mut other = read(value.clone()).unwrap();
    one.set_token_hash_key(5);
    assert_ne!(other.token_hash_key(), 5);
    assert_eq!(serde_json::to_value(one.snapshot()).unwrap(), value);
    let ops = [
        Op::Poll(1),
        Op::Pass(9),
        Op::ResetToken(1),
        Op::Poll(1),
        Op::Poll(3),
    ];
    let mut now = Timestamp::constant(1_700_000_100, 0);
    let mut same_time = now;
    let seen = play(&mut one, &mut now, &ops);
    assert_eq!(play(&mut other, &mut same_time, &ops), seen);
    one.replace(read(value.clone()).unwrap());
    assert_eq!(one.token_hash_key(), 5);
    one.restore(read(value).unwrap());
    assert_eq!(one.token_hash_key(), 5);
    let token = one.runner(1).unwrap().token.clone();
    assert_eq!(one.runner_by_token(&token).map(|runner| runner.id), Some(1));
}

/// Every place of a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| (index.to_string(), item))
                .collect()
        }
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(name, member)| (name.replace('~', "~0").replace('/', "~1"), member))
                .collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in below {
        let place = format!("{at}/{name}");
        places(value, &place, found);
        found.push(place);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    /// Goal: whatever stands in a snapshot, it is refused or becomes a world that goes on; nothing panics.
    #[test]
    fn spoilt_snapshots_break_nothing(
        where_ in any::<proptest::sample::Index>(),
        what in 0..7_usize,
        after in proptest::collection::vec(op(), 1..40),
    ) {
        let (_, mut value) = some_world();
        let mut found = Vec::new();
        places(&value, "", &mut found);
        let place = where_.get(&found);
        let spoilt = [
            Value::Null, json!(0), json!(-1), json!(i64::MAX), json!(""), json!([]), json!("9999-12-30T22:00:00Z"),
        ];
        if let Some(target) = value.pointer_mut(place) {
            *target = spoilt[what].clone();
        }
        if let Ok(mut world) = read(value) {
            let mut now = Timestamp::constant(1_700_000_100, 0);
            let mut polled = 0;
            for op in after {
                match op {
                    // What is made may name what is not there any more.
                    Op::Job(project, _, definition) => {
                        let _ = world.add_job(now, NewJob::pending(project, definition));
                    }
                    Op::Pipeline(..) | Op::Block(_) | Op::Pause(..) | Op::Tags(..) | Op::Switches(..) => {}
                    op => polled += play(&mut world, &mut now, &[op]).len(),
                }
            }
            prop_assert!(polled < 10_000);
            serde_json::to_value(world.snapshot()).unwrap();
        }
    }
}
