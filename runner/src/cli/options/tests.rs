//! Options against the recorded help of the official runner, and the rules of a command line.

use super::commands::{COMMANDS, global};
use super::*;
use crate::config::Value;

fn options_of(command: &str) -> Vec<Opt> {
    let command = COMMANDS.iter().find(|known| known.name == command).unwrap();
    (command.options)()
}

/// `register` has every option of the recorded help: names, variable, whether it takes a value.
#[test]
fn register_has_the_recorded_options() {
    let options = options_of("register");
    let mut missing = Vec::new();
    let mut recorded = Vec::new();
    for line in include_str!("../../../tests/data/cli/register-options.txt").lines() {
        let mut parts = line.split(" | ");
        let (names, env, takes) = (
            parts.next().unwrap(),
            parts.next().unwrap(),
            parts.next().unwrap(),
        );
        recorded.push(names.to_owned());
        let names: Vec<&str> = names.split(", ").collect();
        let found = options.iter().find(|option| option.names == names);
        let right = found.is_some_and(|option| {
            let takes_none = matches!(option.holds, Holds::Switch { .. });
            // The recorded help shows this one without a value, but it wants one.
            let odd = option.name() == "strict-check-interval";
            option.env == env && (odd || (takes == "switch") == takes_none)
        });
        if !right {
            missing.push(format!("{line}: {found:?}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let more: Vec<String> = options
        .iter()
        .map(|option| option.names.join(", "))
        .filter(|names| !recorded.contains(names))
        .collect();
    assert!(more.is_empty(), "not in the recorded help: {more:?}");
}

/// `run-single` has them too, but those of the registration.
#[test]
fn names_are_unique() {
    for command in COMMANDS {
        let mut names: Vec<String> = (command.options)()
            .into_iter()
            .flat_map(|option| option.names)
            .collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before, "{}", command.name);
    }
    let single: Vec<String> = options_of("run-single")
        .iter()
        .map(|option| option.name().to_owned())
        .collect();
    for name in [
        "docker-image",
        "kubernetes-namespace",
        "cache-s3-bucket-name",
        "custom-run-args",
    ] {
        assert!(single.contains(&name.to_owned()), "{name}");
    }
}

fn read(args: &[&str], env: &[(&str, &str)]) -> Result<Given, UsageError> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let lookup = |name: &str| {
        let found = env.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    parse(&options_of("register"), &args, &lookup, false).map(|(given, _)| given)
}

fn wrong(args: &[&str], env: &[(&str, &str)]) -> String {
    match read(args, env) {
        Err(UsageError::Wrong(text)) => text,
        other => panic!("{args:?} {env:?}: {other:?}"),
    }
}

fn map(pairs: &[(&str, &str)]) -> Value {
    let pairs = pairs
        .iter()
        .map(|(key, form)| ((*key).to_owned(), (*form).to_owned()));
    Value::Map(pairs.collect())
}

fn list(items: &[&str]) -> Value {
    Value::List(items.iter().map(|item| (*item).to_owned()).collect())
}

#[test]
fn values_come_from_arguments_then_variables() {
    for (args, env, name, value) in [
        (&["--limit", "3"][..], &[][..], "limit", Value::Integer(3)),
        (&["-limit=3"], &[], "limit", Value::Integer(3)),
        (
            &["--limit=3"],
            &[("RUNNER_LIMIT", "5")],
            "limit",
            Value::Integer(3),
        ),
        (&[], &[("RUNNER_LIMIT", "5")], "limit", Value::Integer(5)),
        (&["word", "--limit", "3"], &[], "limit", Value::Integer(3)),
        (
            &["--limit", "3", "--limit", "4"],
            &[],
            "limit",
            Value::Integer(4),
        ),
        (
            &["-u", "http://x"],
            &[],
            "url",
            Value::Text("http://x".to_owned()),
        ),
        (
            &["--description", "x"],
            &[],
            "name",
            Value::Text("x".to_owned()),
        ),
        (&["--paused"], &[], "paused", Value::Boolean(true)),
        (
            &["--paused=F"],
            &[("REGISTER_PAUSED", "1")],
            "paused",
            Value::Boolean(false),
        ),
        (&["--paused", "false"], &[], "paused", Value::Boolean(true)),
        (
            &["--proxy-exec", "true"],
            &[],
            "proxy-exec",
            Value::Boolean(true),
        ),
        (
            &["--proxy-exec=false"],
            &[],
            "proxy-exec",
            Value::Boolean(false),
        ),
        (
            &["--env", "A=1", "--env", "B=2,3"],
            &[],
            "env",
            list(&["A=1", "B=2,3"]),
        ),
        (
            &["--env", "B=2"],
            &[("RUNNER_ENV", "A=1,C=3")],
            "env",
            list(&["A=1,C=3", "B=2"]),
        ),
        (&[], &[("RUNNER_ENV", "")], "env", list(&[""])),
        (
            &[
                "--docker-pull-policy",
                "never",
                "--docker-pull-policy",
                "always,if-not-present",
            ],
            &[("DOCKER_PULL_POLICY", "x")],
            "docker-pull-policy",
            list(&["always", "if-not-present"]),
        ),
        (
            &["--feature-flags", "FF_A:false", "--feature-flags", "FF_B"],
            &[("FEATURE_FLAGS", "FF_C:1")],
            "feature-flags",
            map(&[("FF_A", "false"), ("FF_B", "true"), ("FF_C", "true")]),
        ),
        (
            &["--docker-tmpfs", "/a:rw:x", "--docker-tmpfs", "/b"],
            &[],
            "docker-tmpfs",
            map(&[("/a", "\"rw:x\""), ("/b", "\"\"")]),
        ),
        (
            &["--kubernetes-retry-limits", "x:3"],
            &[],
            "kubernetes-retry-limits",
            map(&[("x", "3")]),
        ),
        (
            &["--prepare-timeout", "1h30m"],
            &[],
            "prepare-timeout",
            Value::Duration(5_400_000_000_000),
        ),
        (
            &["--machine-idle-scale-factor", "1.5"],
            &[],
            "machine-idle-scale-factor",
            Value::Float(1.5),
        ),
    ] {
        let given = read(args, env).unwrap();
        assert_eq!(given.get(name), Some(&value), "{args:?} {env:?}");
    }
    let given = read(&["--", "--limit", "3"], &[]).unwrap();
    assert_eq!(given.get("limit"), None);
    assert_eq!(read(&["-h"], &[]).unwrap_err(), UsageError::Help);
}

/// The first three are recorded.
///
/// Proves RUN-CLI-28.
#[test]
fn wrong_use_is_named() {
    for (args, env, text) in [
        (
            &["--bogus"][..],
            &[][..],
            "flag provided but not defined: -bogus",
        ),
        (
            &["--limit", "x"],
            &[],
            "invalid value \"x\" for flag -limit: strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        (
            &["--strict-check-interval", "--limit", "3"],
            &[],
            "invalid value \"--limit\" for flag -strict-check-interval: strconv.ParseBool: parsing \"--limit\": invalid syntax",
        ),
        (&["--limit"], &[], "flag needs an argument: -limit"),
        (&["---limit"], &[], "bad flag syntax: ---limit"),
        (
            &["--paused=maybe"],
            &[],
            "invalid boolean value \"maybe\" for -paused: strconv.ParseBool: parsing \"maybe\": invalid syntax",
        ),
        (
            &[],
            &[("RUNNER_LIMIT", "")],
            "could not parse  as value for flag limit: strconv.ParseInt: parsing \"\": invalid syntax",
        ),
        (
            &[],
            &[("RUNNER_PREPARE_TIMEOUT", "")],
            "could not parse  as value for flag prepare-timeout: time: invalid duration \"\"",
        ),
        (
            &[],
            &[("REGISTER_LOCKED", "x")],
            "could not parse x as value for flag locked: strconv.ParseBool: parsing \"x\": invalid syntax",
        ),
    ] {
        assert_eq!(wrong(args, env), text);
    }
    let given = read(&[], &[("REGISTER_PAUSED", ""), ("DOCKER_PRIVILEGED", "")]).unwrap();
    assert!(given.switch("paused") && given.switch("docker-privileged"));
    let empty = |_: &str| Some(String::new());
    let (given, _) = parse(&global()[1..2], &[], &empty, true).unwrap();
    assert!(!given.switch("debug"));
}

#[test]
fn bare_booleans_are_found() {
    let args = ["--paused", "true", "--locked=false", "x", "-n", "false"].map(str::to_owned);
    assert_eq!(bare_booleans(&args), ["--paused=true", "-n=false"]);
}
