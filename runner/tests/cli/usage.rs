//! Commands, options, variables and the process log in general (runner.md 2.1).

use super::support::Desk;

/// Proves RUN-CLI-01, RUN-CLI-05.
#[tokio::test]
async fn unknown_commands_are_fatal() {
    let desk = Desk::new().await;
    let ran = desk.run(&["frobnicate"]).ended(1);
    assert!(
        ran.stderr
            .contains("\x1b[31;1mFATAL: Command frobnicate not found."),
        "{ran:?}"
    );
    desk.run(&["help", "frobnicate"])
        .ended(1)
        .says("FATAL: Command frobnicate not found.");
}

/// Proves RUN-CLI-02.
#[tokio::test]
async fn the_version_has_six_lines() {
    let desk = Desk::new().await;
    for flag in ["--version", "-v"] {
        let ran = desk.run(&[flag]).ended(0);
        let labels: Vec<_> = ran
            .stdout
            .lines()
            .filter_map(|line| Some(line.split_once(':')?.0))
            .collect();
        let expected = [
            "Version",
            "Git revision",
            "Git branch",
            "GO version",
            "Built",
            "OS/Arch",
        ];
        assert_eq!(labels, expected);
        assert!(
            ran.stdout.starts_with("Version:      19.4.0\n"),
            "{}",
            ran.stdout
        );
        assert_eq!(ran.stderr, "");
    }
}

/// No command: the help on stdout, and exit code 0.
#[tokio::test]
async fn without_a_command_there_is_help() {
    let desk = Desk::new().await;
    for args in [&[][..], &["help"], &["--help"], &["-h"]] {
        let ran = desk.run(args).ended(0);
        for command in [
            "run",
            "register",
            "verify",
            "unregister",
            "list",
            "lint",
            "reset-token",
        ] {
            let line = |line: &str| line.trim_start().starts_with(command);
            assert!(ran.stdout.lines().any(line), "{command}: {}", ran.stdout);
        }
    }
    let ran = desk.run(&["list", "--help"]).ended(0);
    assert!(ran.stdout.contains("--config"), "{}", ran.stdout);
}

/// Proves RUN-CLI-03.
#[tokio::test]
async fn the_file_comes_from_option_variable_or_default() {
    let desk = Desk::new().await;
    let (one, two) = (desk.write("one.toml", ""), desk.write("two.toml", ""));
    let env = [("CONFIG_FILE", two.as_str())];
    let broken = desk.write("broken.toml", "concurrent =\n");
    for command in [
        "run",
        "list",
        "lint",
        "verify",
        "unregister",
        "reset-token",
        "register",
        "run-single",
    ] {
        let more: &[&str] = match command {
            "unregister" | "reset-token" => &["--name", "absent"],
            "register" => &["-n", "--url", "ftp://nowhere", "--token", "x"],
            "run-single" => &["-r", "absent"],
            _ => &[],
        };
        let mut args = vec![command];
        args.extend(more);
        // Each of them meets the file that cannot be read.
        let ran = desk.run_with(&args, &[("CONFIG_FILE", broken.as_str())], "");
        let met = ran.stderr.contains("(last key \"concurrent\")");
        assert!(met, "{command}: {ran:?}");
    }
    desk.run_with(&["list"], &env, "")
        .ended(0)
        .says(&format!("Listing configured runners  ConfigFile={two}"));
    desk.run_with(&["list", "-c", &one], &env, "")
        .ended(0)
        .says(&format!("Listing configured runners  ConfigFile={one}"));
    let absent = desk.path("absent.toml").display().to_string();
    desk.run_with(&["lint"], &[("CONFIG_FILE", &absent)], "")
        .ended(1)
        .says(&format!("FATAL: config file not found: {absent}"));
    let default = if nix::unistd::Uid::effective().is_root() {
        "/etc/gitlab-runner/config.toml".to_owned()
    } else {
        desk.path(".gitlab-runner/config.toml")
            .display()
            .to_string()
    };
    let help = desk.run(&["list", "--help"]).ended(0).stdout;
    assert!(
        help.contains(&format!("(default: \"{default}\") [$CONFIG_FILE]")),
        "{help}"
    );
}

/// Proves RUN-CLI-04.
#[tokio::test]
async fn level_and_format_come_from_the_command_line() {
    let desk = Desk::new().await;
    let config = desk.write(
        "config.toml",
        "log_level = \"error\"\nlog_format = \"text\"\nconcurrent = 0\n",
    );
    let ran = desk
        .run(&[
            "--log-format",
            "json",
            "--log-level",
            "info",
            "run",
            "-c",
            &config,
        ])
        .ended(1);
    let last: serde_json::Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(last["level"], "fatal");
    assert!(ran.stderr.contains("Configuration loaded"), "{ran:?}");
    let ran = desk.run_with(
        &["run", "-c", &config],
        &[("LOG_FORMAT", "json"), ("LOG_LEVEL", "info")],
        "",
    );
    assert!(
        ran.stderr.contains("\"msg\":\"Configuration loaded\""),
        "{ran:?}"
    );
    // A record that is written after the file was read, which says `error`.
    for (args, env) in [
        (&["--debug", "run", "-c", &config][..], &[][..]),
        (
            &["--log-level", "error", "--debug", "run", "-c", &config],
            &[],
        ),
        (&["run", "-c", &config], &[("RUNNER_DEBUG", "true")]),
    ] {
        let env: Vec<_> = env
            .iter()
            .copied()
            .chain([("LOG_FORMAT", "json")])
            .collect();
        let ran = desk.run_with(args, &env, "");
        assert!(
            ran.stderr.contains("Configuration loaded"),
            "{args:?}: {ran:?}"
        );
    }
    for (args, env) in [
        (&["--debug", "list", "-c", &config][..], &[][..]),
        (
            &["--log-level", "error", "--debug", "list", "-c", &config],
            &[],
        ),
        (&["list", "-c", &config], &[("RUNNER_DEBUG", "true")]),
    ] {
        let ran = desk.run_with(args, env, "");
        assert_eq!(ran.stdout, "");
        ran.says(&format!("Listing configured runners  ConfigFile={config}"));
    }
    desk.run(&["--log-level", "error", "list", "-c", &config])
        .ended(0)
        .never_says("Listing");
    // An empty variable is not "unset" for the two words, but it is for the Boolean.
    desk.run_with(&["list", "-c", &config], &[("RUNNER_DEBUG", "")], "")
        .ended(0);
    for (name, error) in [
        (
            "LOG_LEVEL",
            "failed to parse log level: not a valid logrus Level: \\\"\\\"",
        ),
        ("LOG_FORMAT", "unknown log format"),
    ] {
        let ran = desk
            .run_with(&["list", "-c", &config], &[(name, "")], "")
            .ended(1);
        let expected = "level=fatal msg=\"Error while setting up logging configuration\" error=\"";
        assert!(
            ran.stderr.contains(&format!("{expected}{error}")),
            "{ran:?}"
        );
        assert!(!ran.stderr.contains("Runtime platform"), "{ran:?}");
    }
}

/// Proves RUN-CFG-19.
#[tokio::test]
async fn a_broken_file_only_lets_list_live() {
    let desk = Desk::new().await;
    let config = desk.write("broken.toml", "concurrent =\n");
    let error = "decoding configuration file: toml: line 1 (last key \"concurrent\"): ";
    let ran = desk.run(&["list", "-c", &config]).ended(0);
    assert!(ran.log().contains(&format!("WARNING: {error}")), "{ran:?}");
    for (args, before) in [
        (&["verify"][..], "FATAL: "),
        (
            &["unregister", "--all-runners"],
            "FATAL: failed to unregister runner  error=",
        ),
        (
            &["reset-token", "--name", "x"],
            "FATAL: Failed to load configuration  error=",
        ),
        (&["lint"], "FATAL: decoding config: "),
        (
            &[
                "register",
                "-n",
                "--url",
                "http://x",
                "--token",
                "glrt-x",
                "--executor",
                "shell",
            ],
            "PANIC: ",
        ),
        (&["run"], "FATAL: Service run failed  error="),
        (&["run-single", "-r", "x"], "FATAL: Error loading config: "),
    ] {
        let mut args = args.to_vec();
        args.extend(["-c", &config]);
        let ran = desk.run(&args).ended(1);
        let line = ran.log();
        let found = line
            .lines()
            .any(|line| line.starts_with(&format!("{before}{error}")));
        assert!(found, "{args:?}: {line}");
    }
    for (key, error) in [
        (
            "log_level = \"bogus\"",
            "failed to parse log level: not a valid logrus Level: \"bogus\"",
        ),
        ("log_format = \"bogus\"", "unknown log format"),
    ] {
        let config = desk.write("level.toml", key);
        desk.run(&["list", "-c", &config])
            .ended(0)
            .never_says("WARNING");
        let log = desk.run(&["run", "-c", &config]).ended(1).log();
        assert!(
            log.contains(&format!("FATAL: Service run failed  error={error}")),
            "{log}"
        );
    }
    let folder = desk.path("").display().to_string();
    let log = desk.run(&["list", "-c", &folder]).ended(0).log();
    assert!(
        log.contains("WARNING: decoding configuration file: read "),
        "{log}"
    );
}
