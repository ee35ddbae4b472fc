//! Seed files: what they make, and what is said about wrong ones.

use super::{DEFAULT, apply, parse};
use crate::library::MockGitlab;

#[test]
fn the_default_world_works() {
    let gitlab = MockGitlab::start().unwrap();
    let seed = parse("default.yml", DEFAULT).unwrap();
    let seeded = apply(&gitlab, seed, "default.yml").unwrap();
    assert_eq!(seeded.projects.keys().collect::<Vec<_>>(), ["group/demo"]);
    assert_eq!(
        seeded.runners["demo"].token(),
        "glrt-MockGitlabDemo00000000"
    );
    assert_eq!(seeded.jobs.len(), 2);
    assert_eq!(gitlab.registration_token(), "GR1348941MockGitlabDemo00000");
}

/// Goal: limits of a seed file are read; what is not named stays as it is.
#[test]
fn limits() {
    let seed = parse(
        "world.yml",
        "limits: {body_bytes: 100, git_push_bytes: 7}\n",
    )
    .unwrap();
    let expected = crate::http::Limits {
        body_bytes: 100,
        git_push_bytes: 7,
        ..crate::http::Limits::default()
    };
    assert_eq!(seed.limits, expected);
}

/// File, line, key, and what was expected.
#[test]
fn mistakes_are_named() {
    let gitlab = MockGitlab::start().unwrap();
    for (text, expected) in [
        (
            "projcts: {}\n",
            &["world.yml:1: ", "projcts", "projects"][..],
        ),
        (
            "projects:\n  a: {fils: {}}\n",
            &["world.yml:2: ", "fils", "files"],
        ),
        ("runners:\n  a: {tags: 7}\n", &["world.yml:2: ", "sequence"]),
        (
            "pipelines:\n  - {jobs: []}\n",
            &["world.yml:2: ", "project"],
        ),
        ("projects: [\n", &["world.yml:"]),
        (
            "limits: {body_byts: 1}\n",
            &["world.yml:1: ", "body_byts", "body_bytes"],
        ),
        (
            "pipelines:\n  - {project: x, jobs: []}\n",
            &["world.yml: pipelines[0]: project `x` does not exist; expected one of none"],
        ),
        (
            "runners: {r: {projects: [x]}}\nprojects: {a/b: {}}\n",
            &["world.yml: runners.r: ", "expected one of `a/b`"],
        ),
        (
            "runners: {r: {run_untagged: false}}\n",
            &["world.yml: runners.r: ", "tags_list"],
        ),
    ] {
        let error = match parse("world.yml", text) {
            Err(error) => error,
            Ok(seed) => match apply(&gitlab, seed, "world.yml") {
                Err(error) => error,
                Ok(_) => panic!("{text} is taken"),
            },
        };
        let message = error.to_string();
        for part in expected {
            assert!(message.contains(part), "{text}\n{message}\nlacks {part}");
        }
    }
}
