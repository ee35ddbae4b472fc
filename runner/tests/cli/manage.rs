//! `verify`, `unregister`, `list`, `lint` and `reset-token` (runner.md 2.2, 2.5).

use serde_json::{Value, json};

use super::support::{Desk, TOKEN, entry};

async fn two(desk: &Desk) -> String {
    desk.answer_token(
        "POST",
        "/runners/verify",
        "glrt-good",
        200,
        json!({"id": 1, "token": "glrt-good"}),
    )
    .await;
    desk.answer_token(
        "POST",
        "/runners/verify",
        "glrt-gone",
        403,
        json!({"message": "403 Forbidden"}),
    )
    .await;
    desk.write(
        "config.toml",
        &(entry("good", "glrt-good") + &entry("gone", "glrt-gone")),
    )
}

/// Proves RUN-CLI-15.
#[tokio::test]
async fn verify_fails_for_a_runner_that_is_gone() {
    let desk = Desk::new().await;
    let config = two(&desk).await;
    let before = desk.read("config.toml");
    desk.run(&["verify", "-c", &config])
        .ended(1)
        .says("FATAL: Failed to verify runners");
    assert_eq!(desk.read("config.toml"), before);
    desk.run(&["verify", "-c", &config, "--name", "good"])
        .ended(0);
    desk.run(&["verify", "-c", &config, "--delete"])
        .ended(0)
        .says(&format!("Updated {config}"));
    let after = desk.read("config.toml");
    assert!(
        after.contains("glrt-good") && !after.contains("glrt-gone"),
        "{after}"
    );
}

/// Which entries are selected.
///
/// Proves RUN-CLI-16.
#[tokio::test]
async fn verify_selects_by_its_options_alone() {
    let desk = Desk::new().await;
    let config = two(&desk).await;
    let url = desk.url();
    let missing = "FATAL: mutate config: no runner matches the filtering parameters";
    for (more, code) in [
        (&["-t", "glrt-good"][..], 0),
        (&["-t", "glrt-good", "-u", "*"], 0),
        (&["-t", "glrt-good", "-u", &url], 0),
        (&["-t", "glrt-gone"], 1),
        (&["-n", "gone"], 1),
    ] {
        let mut args = vec!["verify", "-c", &config];
        args.extend(more);
        desk.run(&args).ended(code).never_says("no runner matches");
    }
    for more in [
        &["-u", &url][..],
        &["-n", "absent"],
        &["-t", "glrt-good", "-u", "http://other"],
    ] {
        let mut args = vec!["verify", "-c", &config];
        args.extend(more);
        desk.run(&args).ended(1).says(missing);
    }
    // Variables that select elsewhere do not here: both entries are asked about.
    let env = [
        ("CI_SERVER_URL", url.as_str()),
        ("CI_SERVER_TOKEN", "glrt-good"),
    ];
    desk.run_with(&["verify", "-c", &config], &env, "")
        .ended(1)
        .says("FATAL: Failed to verify runners");
    let empty = desk.write("empty.toml", "");
    desk.run(&["verify", "-c", &empty]).ended(0);
}

/// Proves RUN-CLI-17.
#[tokio::test]
async fn verify_takes_only_403_for_an_answer() {
    let desk = Desk::new().await;
    for status in [400, 404, 422, 500] {
        desk.server.reset().await;
        desk.answer("POST", "/runners/verify", status, Value::Null)
            .await;
        let config = desk.write("config.toml", &entry("a", TOKEN));
        desk.run(&["verify", "-c", &config]).ended(0);
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let text = entry("a", TOKEN).replace("URL", &format!("http://{closed}"));
    let config = desk.write("closed.toml", &text);
    let log = desk
        .run(&["verify", "-c", &config, "--delete"])
        .ended(0)
        .log();
    assert!(log.contains("ERROR: Verifying runner... failed"), "{log}");
    assert!(desk.read("closed.toml").contains(TOKEN));
    let config = desk.write(
        "odd.toml",
        &entry("a", TOKEN).replace("URL", "gitlab.example.com"),
    );
    let log = desk.run(&["verify", "-c", &config]).ended(0).log();
    assert!(
        log.contains("ERROR: Verifying runner... client error"),
        "{log}"
    );
}

/// Proves RUN-CLI-18.
#[tokio::test]
async fn unregister_takes_the_first_match_and_its_equals() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let text = entry("a", "glrt-1") + &entry("a", "glrt-2") + &entry("b", "glrt-1");
    let config = desk.write("config.toml", &text);
    let cause = "FATAL: failed to unregister runner  error=mutate config: unregister runner: ";
    for (more, error) in [
        (
            &[][..],
            "at least one of --name or --token must be specified",
        ),
        (
            &["--url", "http://x"],
            "at least one of --name or --token must be specified",
        ),
        (
            &["--name", "x"],
            "get runner by token or name: could not find a runner with the name 'x'",
        ),
        (
            &["--token", "glrt-abcdefghijklmn"],
            "get runner by token or name: could not find a runner with the token 'abcdefghi'",
        ),
        (
            &["--name", "x", "--token", "glrt-abcdefghijklmn"],
            "get runner by token or name: could not find a runner with the Name 'x' and Token 'glrt-abcdefghijklmn'",
        ),
    ] {
        let mut args = vec!["unregister", "-c", &config];
        args.extend(more);
        desk.run(&args).ended(1).says(&format!("{cause}{error}"));
    }
    desk.run(&["unregister", "-c", &config, "--name", "a"])
        .ended(0)
        .says(&format!("Updated {config}"));
    let after = desk.read("config.toml");
    assert!(
        after.contains("glrt-2") && !after.contains("glrt-1"),
        "{after}"
    );
    let seen = desk.seen().await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].0, "DELETE /runners/managers");
    assert_eq!(seen[0].1["token"], "glrt-1");
    let id = desk.read(".runner_system_id");
    assert_eq!(seen[0].1["system_id"], id.as_str());
}

/// A legacy token is the runner's own, so the runner goes; anything but 204 fails.
#[tokio::test]
async fn unregister_needs_a_204() {
    let desk = Desk::new().await;
    desk.answer("DELETE", "/runners", 200, Value::Null).await;
    let config = desk.write("config.toml", &entry("old", "legacy-token-1"));
    let before = desk.read("config.toml");
    desk.run(&["unregister", "-c", &config, "-n", "old"]).ended(1).says(
        "FATAL: failed to unregister runner  error=mutate config: unregister runner: failed to unregister runner \"old\"",
    );
    assert_eq!(desk.read("config.toml"), before);
    desk.server.reset().await;
    desk.welcoming().await;
    desk.run(&["unregister", "-c", &config, "-n", "old"])
        .ended(0);
    assert_eq!(
        desk.seen().await,
        [(
            "DELETE /runners".to_owned(),
            json!({"token": "legacy-token-1"})
        )]
    );
}

/// Proves RUN-CLI-19.
#[tokio::test]
async fn unregistering_all_keeps_those_that_fail() {
    let desk = Desk::new().await;
    desk.answer_token(
        "DELETE",
        "/runners/managers",
        "glrt-stays",
        403,
        Value::Null,
    )
    .await;
    desk.welcoming().await;
    let text = entry("a", "glrt-goes") + &entry("b", "glrt-stays") + &entry("c", "legacy-goes");
    let config = desk.write("config.toml", &text);
    desk.run(&[
        "unregister",
        "-c",
        &config,
        "--all-runners",
        "--name",
        "ignored",
    ])
    .ended(0)
    .says("WARNING: Unregistering all runners")
    .says("ERROR: Failed to unregister runners")
    .says(&format!("Updated {config}"));
    let after = desk.read("config.toml");
    assert!(
        after.contains("glrt-stays") && !after.contains("goes"),
        "{after}"
    );
}

/// Proves RUN-CLI-20.
#[tokio::test]
async fn list_shows_every_entry() {
    let desk = Desk::new().await;
    let config = desk.write(
        "config.toml",
        &(entry("one", TOKEN) + &entry("two", "legacy")),
    );
    let url = desk.url();
    desk.run(&["list", "-c", &config])
        .ended(0)
        .says(&format!("one  Executor=shell Token={TOKEN} URL={url}"))
        .says(&format!("two  Executor=shell Token=legacy URL={url}"));
    assert!(desk.path(".runner_system_id").exists());
    assert!(desk.seen().await.is_empty());
}

/// Proves RUN-CLI-21.
#[tokio::test]
async fn lint_names_what_is_wrong_and_writes_nothing() {
    let desk = Desk::new().await;
    let folder = desk.path("");
    let schema = format!(
        "FATAL: config schema validation failed: jsonschema validation failed with 'file://{}/config_schema.json#'",
        std::fs::canonicalize(&folder).unwrap().display()
    );
    let good = entry("a", TOKEN);
    for (text, lines) in [
        (
            good.clone(),
            vec!["Configuration file is valid.".to_owned()],
        ),
        (format!("{good}shell = \"zsh\"\n"), vec![schema.clone()]),
        (
            good.replace(TOKEN, ""),
            vec![
                schema,
                "- at '/runners/0/token': minLength: got 0, want 1".to_owned(),
            ],
        ),
        (
            format!("colour = 1\n{good}[runners.docker]\nhue = 2\n[odd]\nx = 1\n"),
            vec![
                "  unknown key: colour".to_owned(),
                "  unknown key: runners.docker.hue".to_owned(),
                "  unknown key: odd".to_owned(),
                "  unknown key: odd.x".to_owned(),
            ],
        ),
    ] {
        let config = desk.write("config.toml", &text);
        let valid = lines[0].starts_with("Conf");
        let mut ran = desk.run(&["lint", "-c", &config]).ended(i32::from(!valid));
        for line in &lines {
            ran = ran.says(line);
        }
        if lines.len() == 4 {
            ran.says(&format!("FATAL: 4 unknown key(s) found in {config}:"));
        }
    }
    let absent = desk.path("absent.toml").display().to_string();
    desk.run(&["lint", "-c", &absent])
        .ended(1)
        .says(&format!("FATAL: config file not found: {absent}"));
    assert!(!desk.path(".runner_system_id").exists() && !desk.path("absent.toml").exists());
    assert!(desk.seen().await.is_empty());
}

/// Proves RUN-CLI-25.
#[tokio::test]
async fn reset_token_uses_the_token_or_the_id_with_a_pat() {
    let desk = Desk::new().await;
    let fresh = json!({"token": "glrt-fresh", "token_expires_at": "2027-01-01T00:00:00.000Z"});
    desk.answer("POST", "/runners/reset_authentication_token", 201, fresh)
        .await;
    let by_pat = json!({"token": "glrt-by-pat", "token_expires_at": null});
    desk.answer("POST", "/runners/7/reset_authentication_token", 201, by_pat)
        .await;
    let config = desk.write(
        "config.toml",
        &(entry("a", "glrt-old") + "id = 7\n" + &entry("b", "glrt-b")),
    );
    let url = desk.url();
    let ran = desk
        .run(&["reset-token", "-c", &config, "--name", "a"])
        .ended(0);
    let last = ran.stderr.lines().last().unwrap();
    let form: String = last
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(form, "0000/00/00 00:00:00 Updated");
    let after = desk.read("config.toml");
    assert!(after.contains("token = \"glrt-fresh\""), "{after}");
    assert!(
        after.contains("token_expires_at = 2027-01-01T00:00:00Z"),
        "{after}"
    );
    assert!(after.contains("glrt-b"), "{after}");
    desk.run(&[
        "reset-token",
        "-c",
        &config,
        "-u",
        &url,
        "-i",
        "7",
        "--pat",
        "glpat-secret",
    ])
    .ended(0);
    let after = desk.read("config.toml");
    assert!(after.contains("token = \"glrt-by-pat\""), "{after}");
    assert!(!after.contains("2027"), "{after}");
    let requests = desk.server.received_requests().await.unwrap();
    let last = requests.last().unwrap();
    assert_eq!(
        last.url.path(),
        "/api/v4/runners/7/reset_authentication_token"
    );
    assert_eq!(last.headers.get("PRIVATE-TOKEN").unwrap(), "glpat-secret");
    assert!(!String::from_utf8_lossy(&last.body).contains("glrt-"));
}

/// What does not match, and what fails.
#[tokio::test]
async fn reset_token_says_what_fails() {
    let desk = Desk::new().await;
    desk.answer(
        "POST",
        "/runners/reset_authentication_token",
        403,
        Value::Null,
    )
    .await;
    let config = desk.write("config.toml", &entry("a", "glrt-old"));
    for (more, line) in [
        (
            &["--name", "x"][..],
            "FATAL: Couldn't get runner credentials  error=could not find a runner with the name 'x'",
        ),
        (
            &[],
            "FATAL: Couldn't get runner credentials  error=could not find a runner with the URL \"\" and ID 0",
        ),
        (
            &["--name", "a"],
            "FATAL: Failed to reset runner authentication token  id=0 name=a",
        ),
    ] {
        let mut args = vec!["reset-token", "-c", &config];
        args.extend(more);
        desk.run(&args).ended(1).says(line);
    }
    desk.run(&["reset-token", "-c", &config, "--all-runners"])
        .ended(0)
        .says("WARNING: Resetting all runner authentication tokens")
        .says("ERROR: Failed to reset runner authentication token");
    assert!(desk.read("config.toml").contains("glrt-old"));
}

/// What the schema has against values is only said, by every command but `lint`.
#[tokio::test]
async fn odd_values_are_said() {
    let desk = Desk::new().await;
    let config = desk.write("config.toml", &entry("blank", ""));
    let log = desk.run(&["list", "-c", &config]).ended(0).log();
    let here = std::fs::canonicalize(desk.path("")).unwrap();
    let expected = format!(
        "There might be a problem with your config based on jsonschema annotations in common/config.go (experimental feature):\njsonschema validation failed with 'file://{}/config_schema.json#'\n- at '/runners/0/token': minLength: got 0, want 1\n",
        here.display()
    );
    assert!(log.contains(&expected), "{log}");
}
