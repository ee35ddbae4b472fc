//! Scenario files: what is refused, and how. Goal: a person finds the mistake from the message alone.

use std::fmt::Write as _;
use std::path::Path;

use scenarios::scenario::{load_file, parse};

/// A valid scenario, to be broken by replacing one text.
const VALID: &str = "\
name: demo
about: one job
proves: [RUN-SCH-01]
clocks: [virtual]
world:
  projects: {p: {}, q: {}}
  runners: {main: {}}
  jobs:
    1: {project: p, held: true}
runners:
  main:
    config: |
      concurrent = 1
timeline:
  - at: 1s
    finish: 1
expect:
  picks: [1]
";

#[test]
fn the_valid_one_is_valid() {
    let scenario = parse("demo.yml", VALID).expect("valid");
    assert_eq!(scenario.name, "demo");
}

/// Each case: what is replaced, by what, the line of the message, and words that it must hold.
#[test]
fn every_mistake_is_named_with_file_line_and_what_was_expected() {
    let cases: &[(&str, &str, u64, &[&str])] = &[
        ("about: one job\n", "", 16, &["missing field", "about"]),
        (
            "about: one",
            "abuot: one",
            2,
            &["unknown field", "abuot", "expected"],
        ),
        ("[virtual]", "[lunar]", 4, &["lunar", "virtual", "real"]),
        (
            "[virtual]",
            "[]",
            4,
            &["`clocks` is empty", "expected `virtual`"],
        ),
        (
            "RUN-SCH-01",
            "SCH-1",
            3,
            &["`SCH-1` is not the id of a check", "RUN-SCH-03"],
        ),
        (
            "held: true",
            "held: maybe",
            9,
            &["expected `true` or `false`", "held: maybe"],
        ),
        ("held: true", "hold: true", 9, &["unknown field", "hold"]),
        (
            "1: {project",
            "one: {project",
            9,
            &["expected a whole number", "one: {project"],
        ),
        (
            "project: p,",
            "project: z,",
            9,
            &["project `z` does not exist", "`p`, `q`"],
        ),
        ("project: p, ", "", 9, &["`project` is missing", "`p`, `q`"]),
        (
            "held: true",
            "script: [ls], held: true",
            9,
            &["`script` stands beside", "one or the other"],
        ),
        ("at: 1s", "at: soon", 15, &["soon", "a duration such as"]),
        ("at: 1s", "at: -1", 15, &["-1", "a duration such as"]),
        ("finish: 1", "finish: 2", 15, &["job 2 is not `held`"]),
        (
            "finish: 1",
            "play: 1\n    finish: 1",
            15,
            &["2 actions (finish, play)", "expected one"],
        ),
        (
            "at: 1s\n    finish: 1",
            "exit: 1",
            15,
            &["a step without an action", "`finish`"],
        ),
        (
            "finish: 1",
            "after: {}\n    finish: 1",
            16,
            &["`after`", "exactly one of `picked`"],
        ),
        (
            "finish: 1",
            "start: other",
            15,
            &["runner `other` does not exist", "`main`"],
        ),
        (
            "finish: 1",
            "run: {runner: main, args: [list]}",
            15,
            &["virtual time cannot", "[real]"],
        ),
        (
            "finish: 1",
            "fault: {on: everything, status: 500}",
            16,
            &["everything", "poll", "patch"],
        ),
        (
            "picks: [1]",
            "exits: {nobody: 0}",
            17,
            &["runner `nobody` does not exist"],
        ),
        (
            "  picks: [1]",
            "  {}",
            17,
            &["expects nothing proves nothing"],
        ),
        ("name: demo", "name: [demo", 0, &[]),
    ];
    let mut wrong = String::new();
    for (old, new, line, words) in cases {
        assert!(VALID.contains(old), "the case replaces nothing: {old}");
        let text = VALID.replacen(old, new, 1);
        let error = parse("demo.yml", &text).expect_err(new);
        let message = error.to_string();
        let at = format!("demo.yml:{line}: ");
        let fits = (*line == 0 || message.starts_with(&at))
            && words.iter().all(|word| message.contains(word))
            && message.lines().count() == 1;
        if !fits {
            let _ = writeln!(wrong, "{new}: expected {at}… {words:?}\n  {message}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_missing_file_is_named() {
    let error = load_file(Path::new("/no/such.yml")).expect_err("no file");
    let message = error.to_string();
    assert!(
        message.starts_with("/no/such.yml: cannot be read: "),
        "{message}"
    );
}
