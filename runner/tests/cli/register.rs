//! `register` (runner.md 2.3).

use serde_json::{Value, json};

use super::support::{Desk, TOKEN, entry, steady};

const SUCCESS: &str = "Runner registered successfully. Feel free to start it, but if it's running already the config should be automatically reloaded!";

/// Proves RUN-CLI-06, RUN-CLI-14.
#[tokio::test]
async fn a_created_token_is_verified_and_written() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let config = desk.config();
    desk.register(&["--executor", "shell", "--name", "vm"])
        .ended(0)
        .says(SUCCESS)
        .says(&format!(
            "Configuration (with the authentication token) was saved in \"{config}\""
        ));
    let text = include_str!("../data/config/form-shell.toml");
    assert_eq!(desk.saved("config.toml"), steady(text));
    let saved = desk.read("config.toml");
    let time = saved
        .lines()
        .find_map(|line| line.trim().strip_prefix("token_obtained_at = "))
        .unwrap();
    assert_eq!(time.len(), "2026-11-25T03:42:18Z".len(), "{time}");
    assert!(time.ends_with('Z'), "{time}");
    // Of this moment, in UTC, wherever the machine is.
    let begin = jiff::Timestamp::now();
    let tokyo = desk.path("tokyo.toml").display().to_string();
    let args = [
        "register",
        "-n",
        "-c",
        &tokyo,
        "--url",
        &desk.url(),
        "--token",
        TOKEN,
    ];
    let args = [&args[..], &["--executor", "shell"]].concat();
    desk.run_with(&args, &[("TZ", "Asia/Tokyo")], "").ended(0);
    let saved = desk.read("tokyo.toml");
    let mut lines = saved.lines();
    let time = lines.find_map(|line| line.trim().strip_prefix("token_obtained_at = "));
    let time: jiff::Timestamp = time.unwrap().parse().unwrap();
    assert!(time.as_second() >= begin.as_second() && time <= jiff::Timestamp::now());
    desk.server.reset().await;
    desk.welcoming().await;
    desk.register(&["--executor", "shell", "--name", "vm"])
        .ended(0);
    let seen = desk.seen().await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].0, "POST /runners/verify");
    assert_eq!(seen[0].1["token"], TOKEN);
    assert_eq!(
        seen[0].1["system_id"],
        desk.read(".runner_system_id").as_str()
    );
    assert_eq!(seen[0].1["info"]["executor"], "shell");
}

/// Every answer but a 200 with an id is refused.
#[tokio::test]
async fn a_created_token_must_be_known() {
    let desk = Desk::new().await;
    for (status, body) in [
        (403, Value::Null),
        (404, Value::Null),
        (401, Value::Null),
        (200, json!({})),
    ] {
        desk.server.reset().await;
        desk.answer("POST", "/runners/verify", status, body).await;
        desk.register(&["--executor", "shell"])
            .ended(1)
            .says("PANIC: Failed to verify the runner.");
        assert!(!desk.path("config.toml").exists());
    }
}

/// Proves RUN-CLI-07.
#[tokio::test]
async fn register_appends() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let text = format!("concurrent = 3\n{}", entry("first", TOKEN));
    desk.write("config.toml", &text);
    desk.register(&["--executor", "shell", "--limit", "9", "--request-concurrency", "5"])
        .ended(0)
        .says("WARNING: A runner with this system ID and token has already been registered.")
        .says("WARNING: The specified runner job concurrency limit (9) is larger than current global concurrency limit (3). The global concurrent limit will not be increased and takes precedence.")
        .says("WARNING: The specified runner request concurrency (5) is larger than the current global concurrent limit (3). The global concurrent limit will not be increased and takes precedence.");
    let saved = desk.read("config.toml");
    assert!(saved.starts_with("concurrent = 3\n"), "{saved}");
    assert!(saved.contains("name = \"first\""), "{saved}");
    assert_eq!(saved.matches("[[runners]]").count(), 2);
    // A file that was loaded has its defaults written.
    assert!(saved.contains("connection_max_age = \"15m0s\""), "{saved}");
}

/// Proves RUN-CLI-08.
#[tokio::test]
async fn options_of_the_server_do_not_go_with_a_created_token() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let (config, url) = (desk.config(), desk.url());
    for option in [
        &["--locked=false"][..],
        &["--access-level", "not_protected"],
        &["--run-untagged"],
        &["--maximum-timeout", "60"],
        &["--paused"],
        &["--tag-list", "a,b"],
        &["--maintenance-note", "x"],
    ] {
        let mut args = vec!["--executor", "shell"];
        args.extend(option);
        let log = desk.register(&args).ended(1).log();
        assert!(
            log.contains(
                "FATAL: Runner configuration other than name and executor configuration is reserved"
            ),
            "{log}"
        );
        assert!(desk.seen().await.is_empty(), "{option:?}");
        let mut args = vec![
            "register",
            "-n",
            "-c",
            &config,
            "--url",
            &url,
            "-r",
            TOKEN,
            "--executor",
            "shell",
        ];
        args.extend(option);
        let log = desk.run(&args).ended(0).log();
        assert!(
            log.contains("'legacy-compatible registration process'"),
            "{log}"
        );
        desk.server.reset().await;
        desk.welcoming().await;
    }
    desk.register(&["--executor", "shell", "--locked=true"])
        .ended(0);
}

/// Proves RUN-CLI-09.
#[tokio::test]
async fn a_registration_token_registers() {
    let desk = Desk::new().await;
    let answer =
        json!({"id": 12345, "token": "RUNNER-TOKEN-legacy-0001", "token_expires_at": null});
    desk.answer("POST", "/runners", 201, answer).await;
    let (config, url) = (desk.config(), desk.url());
    let base = [
        "register",
        "-n",
        "-c",
        &config,
        "--url",
        &url,
        "-r",
        "GR1348941abcdefghijklmnop",
        "--executor",
        "shell",
        "--name",
        "legacy",
    ];
    let warning = "WARNING: Support for registration tokens and runner parameters in the 'register' command has been deprecated in GitLab Runner 15.6 and will be replaced with support for authentication tokens. For more information, see https://docs.gitlab.com/ci/runners/new_creation_workflow/";
    desk.run(&base).ended(0).says(warning).says(SUCCESS);
    let more = [
        "--tag-list",
        "linux,docker",
        "--locked=false",
        "--access-level",
        "ref_protected",
        "--maximum-timeout",
        "3600",
        "--paused",
        "--maintenance-note",
        "rack 4",
    ];
    desk.run(&[&base[..], &more].concat()).ended(0);
    desk.run(&[&base[..], &["--tag-list", "x", "--run-untagged"]].concat())
        .ended(0);
    let seen = desk.seen().await;
    let keys = [
        "description",
        "tag_list",
        "run_untagged",
        "locked",
        "access_level",
        "maximum_timeout",
        "paused",
        "maintenance_note",
        "token",
    ];
    let of = |index: usize| keys.map(|key| seen[index].1[key].clone());
    let expected = |values: Value| -> Vec<Value> { values.as_array().unwrap().clone() };
    let token = "GR1348941abcdefghijklmnop";
    assert_eq!(
        of(0).to_vec(),
        expected(json!([
            "legacy", null, true, true, null, null, false, null, token
        ]))
    );
    assert_eq!(
        of(1).to_vec(),
        expected(json!([
            "legacy",
            "linux,docker",
            false,
            false,
            "ref_protected",
            3600,
            true,
            "rack 4",
            token
        ]))
    );
    assert_eq!(
        of(2).to_vec(),
        expected(json!([
            "legacy", "x", true, true, null, null, false, null, token
        ]))
    );
    assert!(
        desk.read("config.toml")
            .contains("token = \"RUNNER-TOKEN-legacy-0001\"")
    );
    desk.run(&[&base[..], &["--access-level", "odd"]].concat()).ended(1).says(
        "PANIC: Given access-level is not valid. Refer to gitlab-runner register -h for the correct options.",
    );
}

/// A token without prefix: only 403 stops it, and nothing is known of the runner.
#[tokio::test]
async fn any_other_token_is_taken_as_it_is() {
    let desk = Desk::new().await;
    desk.answer("POST", "/runners/verify", 500, Value::Null)
        .await;
    let (config, url) = (desk.config(), desk.url());
    let args = [
        "register",
        "-n",
        "-c",
        &config,
        "--url",
        &url,
        "--token",
        "plain-token",
        "--executor",
        "shell",
    ];
    desk.run(&args)
        .ended(0)
        .says("Token specified trying to verify runner...")
        .says("WARNING: If you want to register use the '-r' instead of '-t'.");
    let saved = desk.read("config.toml");
    for line in [
        "id = 0",
        "token = \"plain-token\"",
        "token_obtained_at = 0001-01-01T00:00:00Z",
    ] {
        assert!(saved.contains(line), "{saved}");
    }
    desk.server.reset().await;
    desk.answer("POST", "/runners/verify", 403, Value::Null)
        .await;
    desk.run(&args)
        .ended(1)
        .says("PANIC: Failed to verify the runner.");
    assert_eq!(desk.read("config.toml"), saved);
}

/// Proves RUN-CLI-10.
#[tokio::test]
async fn what_fails_after_the_registration_is_taken_back() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let legacy = json!({"id": 5, "token": "RUNNER-TOKEN-legacy-0001"});
    desk.answer("POST", "/runners", 201, legacy).await;
    let (config, url) = (desk.config(), desk.url());
    let bad = "PANIC: Invalid executor specified";
    desk.register(&["--executor", "bogus"])
        .ended(1)
        .says(bad)
        .never_says("successfully");
    let seen = desk.seen().await;
    assert_eq!(seen[1].0, "DELETE /runners/managers");
    assert_eq!(
        seen[1].1,
        json!({"token": TOKEN, "system_id": desk.read(".runner_system_id")})
    );
    let args = [
        "register",
        "-n",
        "-c",
        &config,
        "--url",
        &url,
        "-r",
        "GR1348941abc",
    ];
    desk.run(&args).ended(1).says(bad);
    assert_eq!(
        desk.seen().await.last().unwrap(),
        &(
            "DELETE /runners".to_owned(),
            json!({"token": "RUNNER-TOKEN-legacy-0001"})
        )
    );
    let calls = desk.seen().await.len();
    desk.register(&["--leave-runner", "--executor", "bogus"])
        .ended(1)
        .says(bad);
    let args = [
        "register",
        "-n",
        "-c",
        &config,
        "--url",
        &url,
        "-t",
        "plain-token",
    ];
    desk.run(&args).ended(1).says(bad);
    let seen = desk.seen().await;
    assert!(
        seen[calls..]
            .iter()
            .all(|(call, _)| call == "POST /runners/verify"),
        "{seen:?}"
    );
    assert!(!desk.path("config.toml").exists());
}

/// Proves RUN-CLI-12.
#[tokio::test]
async fn without_questions_everything_must_be_given() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let (config, url) = (desk.config(), desk.url());
    desk.run(&["register", "-n", "-c", &config])
        .ended(1)
        .says("PANIC: The url needs to be entered");
    desk.run(&["register", "-n", "-c", &config, "--url", &url])
        .ended(1)
        .says("PANIC: The registration-token needs to be entered");
    assert!(desk.seen().await.is_empty());
}

/// The recorded dialogue: same prompts, same file.
#[tokio::test]
async fn questions_are_asked_on_stderr() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let config = desk.config();
    let typed = format!("{}\n{TOKEN}\nmy runner\nbogus\nshell\n", desk.url());
    let ran = desk
        .run_with(&["register", "-c", &config], &[], &typed)
        .ended(0);
    let text = include_str!("../data/cli/register-interactive.toml");
    assert_eq!(desk.saved("config.toml"), steady(text));
    assert_eq!(ran.stdout, "");
    let host = hostname::get().unwrap().to_string_lossy().into_owned();
    let mut at = 0;
    for prompt in [
        "Enter the GitLab instance URL (for example, https://gitlab.com/):\n".to_owned(),
        "Enter the registration token:\n".to_owned(),
        format!(
            "Enter a name for the runner. This is stored only in the local config.toml file:\n[{host}]: "
        ),
        "Enter an executor: ".to_owned(),
        "Invalid executor specified".to_owned(),
        "Enter an executor: ".to_owned(),
        "[bogus]: ".to_owned(),
        SUCCESS.to_owned(),
    ] {
        let found = ran.stderr[at..].find(&prompt);
        at += found.unwrap_or_else(|| panic!("no {prompt:?} in {}", &ran.stderr[at..]))
            + prompt.len();
    }
    desk.run_with(&["register", "-c", &config], &[], "")
        .ended(1)
        .says("PANIC: Unexpected EOF. Did you mean to use --non-interactive?");
}

/// Options by variables.
#[tokio::test]
async fn variables_stand_for_options() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let (config, url) = (desk.config(), desk.url());
    let env = [
        ("CONFIG_FILE", config.as_str()),
        ("CI_SERVER_URL", &url),
        ("CI_SERVER_TOKEN", TOKEN),
        ("RUNNER_NAME", "by variable"),
        ("RUNNER_EXECUTOR", "shell"),
        ("REGISTER_NON_INTERACTIVE", "true"),
        ("RUNNER_LIMIT", "1"),
    ];
    desk.run_with(&["register"], &env, "").ended(0);
    desk.run_with(&["register", "--name", "by flag"], &env, "")
        .ended(0);
    let saved = desk.read("config.toml");
    assert!(
        saved.contains("name = \"by variable\"\n  limit = 1\n"),
        "{saved}"
    );
    assert!(
        saved.contains("name = \"by flag\"\n  limit = 1\n"),
        "{saved}"
    );
}

/// SIGINT while a question waits takes the registration back.
#[tokio::test]
async fn an_interrupt_takes_the_registration_back() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let (config, url) = (desk.config(), desk.url());
    let args = ["register", "-c", &config, "--url", &url, "--token", TOKEN];
    let mut register = desk.start_typing(&args, "\na name\n");
    register.wait_for("Enter an executor: ");
    register.signal(nix::sys::signal::Signal::SIGINT);
    register.wait_for("Unregistering runner manager from GitLab succeeded");
    register.wait_for("FATAL: RECEIVED SIGNAL: interrupt");
    assert_eq!(register.code(), Some(1));
    let calls: Vec<String> = desk
        .seen()
        .await
        .into_iter()
        .map(|(call, _)| call)
        .collect();
    assert_eq!(calls, ["POST /runners/verify", "DELETE /runners/managers"]);
    assert!(!desk.path("config.toml").exists());
}

/// An empty name leaves the runner registered.
#[tokio::test]
async fn a_name_is_needed() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    desk.register(&["--executor", "shell", "--name", ""])
        .ended(1)
        .says("PANIC: The name needs to be entered");
    assert_eq!(desk.seen().await.len(), 1);
}
