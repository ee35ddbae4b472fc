//! Loading and saving against files that the official runner wrote.

use super::*;

const WRITTEN: [(&str, &str); 9] = [
    (
        "shell",
        include_str!("../../tests/data/config/form-shell.toml"),
    ),
    (
        "custom",
        include_str!("../../tests/data/config/form-custom.toml"),
    ),
    (
        "docker",
        include_str!("../../tests/data/config/form-docker.toml"),
    ),
    (
        "docker-flags",
        include_str!("../../tests/data/config/form-docker-flags.toml"),
    ),
    (
        "docker-machine",
        include_str!("../../tests/data/config/form-docker-machine.toml"),
    ),
    (
        "flags",
        include_str!("../../tests/data/config/form-flags.toml"),
    ),
    ("ssh", include_str!("../../tests/data/config/form-ssh.toml")),
    (
        "virtualbox",
        include_str!("../../tests/data/config/form-virtualbox.toml"),
    ),
    (
        "parallels",
        include_str!("../../tests/data/config/form-parallels.toml"),
    ),
];

/// The default that a load fills in, where the file was written by a process that never loaded one.
fn with_connection_max_age(text: &str) -> String {
    if text.contains("connection_max_age") {
        return text.to_owned();
    }
    text.replacen(
        "shutdown_timeout",
        "connection_max_age = \"15m0s\"\nshutdown_timeout",
        1,
    )
}

/// What the official runner wrote loads and saves to the same bytes.
///
/// Proves RUN-CLI-26.
#[test]
fn written_files_come_back_as_they_were() {
    for (name, text) in WRITTEN {
        let config = Config::parse_with(text, &|_| None).unwrap();
        assert_eq!(config.to_toml(), with_connection_max_age(text), "{name}");
        assert!(
            config.unknown_keys().is_empty(),
            "{name}: {:?}",
            config.unknown_keys()
        );
    }
}

/// Every table, mostly empty: what is always written, what is dropped. The recording rotated the token
/// in between, so that is put into the file by hand.
///
/// Proves RUN-CLI-26.
#[test]
fn every_table_is_saved_in_the_recorded_form() {
    let before = include_str!("../../tests/data/config/save-forms.before.toml");
    let after = include_str!("../../tests/data/config/save-forms.after.toml");
    let mut config = Config::parse_with(before, &|_| None).unwrap();
    config
        .change(0, |entry| {
            entry.set("token", Value::Text("glrt-rotated0000000000001".to_owned()));
            entry.set(
                "token_obtained_at",
                Value::Time("2026-11-25T04:33:56.058842131Z".to_owned()),
            );
            entry.set(
                "token_expires_at",
                Value::Time("2027-01-01T00:00:00Z".to_owned()),
            );
        })
        .unwrap();
    assert_eq!(config.to_toml(), after);
}

/// Proves RUN-CFG-02, RUN-CFG-04, RUN-CFG-06.
#[test]
fn defaults_and_forms() {
    let config = Config::parse_with(
        "check_interval = -1\n[[runners]]\nname='a'\nunhealthy_interval = 5000000000\nprepare_timeout = \"1h30m\"\n\
         [runners.docker]\npull_policy = 'always'\n[[runners]]\n[runners.docker]\npull_policy = ['never','always']",
        &|_| None,
    )
    .unwrap();
    assert_eq!(config.check_interval().as_secs(), 3);
    assert_eq!(config.shutdown_timeout().as_secs(), 30);
    let first = &config.runners()[0];
    assert_eq!(first.unhealthy_interval.as_secs(), 5);
    assert_eq!(first.prepare_timeout.as_secs(), 5400);
    assert_eq!(first.output_limit, 4 * 1024 * 1024);
    let policies: Vec<_> = config
        .entries()
        .iter()
        .filter_map(|entry| entry.table("docker"))
        .map(|docker| docker.list("pull_policy").join(","))
        .collect();
    assert_eq!(policies, ["always", "never,always"]);
}

/// Proves RUN-CFG-03.
#[test]
fn url_and_token_are_expanded() {
    let lookup = |name: &str| (name == "X").then(|| "value".to_owned());
    for (text, expected) in [
        ("$X", "value"),
        ("a${X}b", "avalueb"),
        ("$UNKNOWN.", "."),
        ("$$", ""),
        ("$1", ""),
        ("plain", "plain"),
    ] {
        assert_eq!(expand_with(text, lookup), expected, "{text}");
    }
    let config =
        Config::parse_with("[[runners]]\nurl='$X'\ntoken='${X}'\nname='$X'", &lookup).unwrap();
    let runner = &config.runners()[0];
    assert_eq!(
        (&*runner.url, &*runner.token, &*runner.name),
        ("value", "value", "$X")
    );
}

/// Proves RUN-CFG-18, RUN-CFG-01.
#[test]
fn keys_match_without_case_and_unknown_ones_are_named() {
    let config = Config::parse_with(
        "Concurrent = 4\ncolour = 'red'\n[[runners]]\nLIMIT = 2\n[runners.cache]\ntype = 's3'\n[runners.cache.S3]\nbucketname='b'\nX = 1",
        &|_| None,
    )
    .unwrap();
    assert_eq!(config.concurrent(), 4);
    assert_eq!(config.runners()[0].limit, 2);
    let cache = config.entries()[0].table("cache").unwrap();
    assert_eq!(cache.text("Type"), "s3");
    assert_eq!(cache.table("s3").unwrap().text("BucketName"), "b");
    assert_eq!(config.unknown_keys(), ["colour", "runners.cache.S3.X"]);
}

/// Each names line, key and what was expected.
#[test]
fn errors_say_where_and_what() {
    for (text, expected) in [
        (
            "concurrent = 1\n[[runners]]\n  limit = \"x\"\n",
            "decoding configuration file: toml: line 3 (last key \"runners.limit\"): incompatible types: TOML value has type string; destination has type integer",
        ),
        (
            "[[runners]]\nlimit = 1.0\n",
            "decoding configuration file: toml: line 2 (last key \"runners.limit\"): incompatible types: TOML value has type float; destination has type integer",
        ),
        (
            "connection_max_age = \"soon\"",
            "decoding configuration file: toml: line 1 (last key \"connection_max_age\"): time: invalid duration \"soon\"; expected a duration such as \"1h30m\" or nanoseconds",
        ),
        (
            "[labels]\nab = 'x'\n",
            "invalid config: validating global labels: invalid label key, doesn't match \"^[a-zA-Z0-9_][a-zA-Z0-9._-]{2,64}$\": ab",
        ),
    ] {
        let error = Config::parse_with(text, &|_| None).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    for text in ["concurrent =\n", "concurrent = 1\nconcurrent = 2\n"] {
        let error = Config::parse_with(text, &|_| None).unwrap_err().to_string();
        assert!(
            error.starts_with("decoding configuration file: toml: line "),
            "{error}"
        );
        assert!(error.contains("(last key \"concurrent\")"), "{error}");
    }
}

/// Proves RUN-CFG-14.
#[test]
fn labels_are_limited() {
    let labels: Vec<String> = (0..33).map(|i| format!("lab{i} = 'x'")).collect();
    let labels = labels.join("\n") + "\n";
    assert!(Config::parse_with(&format!("[labels]\n{labels}"), &|_| None).is_ok());
    let error =
        Config::parse_with(&format!("[labels]\n{labels}[[runners]]\n"), &|_| None).unwrap_err();
    assert!(error.to_string().contains("at most 32"), "{error}");
    assert!(Config::parse_with("[labels]\nlabel = 'a b'\n", &|_| None).is_err());
}

/// Proves RUN-CFG-13.
#[cfg(unix)]
#[test]
fn saving_keeps_links_and_modes() {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/config.toml");
    let config = Config::parse_with("concurrent = 7", &|_| None).unwrap();
    config.save(&file).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("link.toml");
    symlink(&file, &link).unwrap();
    config.save(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(mode(&file), 0o640);
    assert_eq!(Config::load(&link).unwrap().concurrent(), 7);
    let left: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file is left");
}

/// Proves RUN-CFG-10, RUN-CFG-11, RUN-CFG-12.
#[test]
fn the_system_id_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let random = crate::random::Random::from_seed(1);
    let first = system_id::load_or_create(&config, &random).unwrap();
    assert!(system_id::is_valid(&first), "{first}");
    assert_eq!(system_id::load_or_create(&config, &random).unwrap(), first);
    std::fs::write(system_id::path(&config), "nonsense").unwrap();
    let second = system_id::load_or_create(&config, &random).unwrap();
    assert!(system_id::is_valid(&second));
    for (id, valid) in [
        ("s_0123456789ab", true),
        ("r_ABCdef012345", true),
        ("x_0123456789ab", false),
        ("s_0123456789a", false),
        ("s_0123456789a-", false),
    ] {
        assert_eq!(system_id::is_valid(id), valid, "{id}");
    }
    // HMAC-SHA256(key = "machine", "gitlab-runner"), by Python's hmac module.
    assert_eq!(system_id::from_machine_id("machine"), "s_e992a88f4684");
    let missing = folder.path().join("no/such/folder/config.toml");
    assert!(system_id::load_or_create(&missing, &random).is_ok());
}

/// Proves RUN-CFG-02.
#[test]
fn durations() {
    for (text, nanos) in [
        ("1h30m", Some(5_400_000_000_000)),
        ("1.5s", Some(1_500_000_000)),
        ("-3ms", Some(-3_000_000)),
        ("0", Some(0)),
        ("", None),
        ("5", None),
        ("1x", None),
        (" 1s", None),
    ] {
        assert_eq!(parse_duration(text), nanos, "{text:?}");
    }
}

/// A feature flag without effect is named when it is not as it would be without the file.
#[test]
fn flags_without_effect_are_named() {
    let text = "[[runners]]\nexecutor = 'shell'\n[runners.feature_flags]\nFF_RESOLVE_FULL_TLS_CHAIN = true\n\
        FF_USE_FASTZIP = true\nFF_HASH_CACHE_KEYS = false\nFF_SCRIPT_SECTIONS = true\nFF_TIMESTAMPS = false\n";
    let config = Config::parse_with(text, &|_| None).unwrap();
    assert_eq!(
        config.keys_without_effect(),
        ["runners.feature_flags.FF_RESOLVE_FULL_TLS_CHAIN"]
    );
}

/// Named are keys that are set; not those of other executors, nor empty ones.
#[test]
fn keys_without_effect_are_named() {
    let text = "listen_address = ':9252'\nsentry_dsn = 'https://x@y/1'\nconcurrent = 2\nuser = 'x'\nlog_level = 'info'\n\
        [session_server]\nlisten_address = ':8093'\nsession_timeout = 5\n\
        [experimental.usage_logger]\nenabled = true\n[experimental.usage_logger.snowplow_billing]\nrealm = 'r'\n\
        [[runners]]\nexecutor = 'shell'\nproxy_exec = true\nuse_slot_cgroups = true\nstep_runner_image = 's'\nlimit = 3\n\
        [runners.cache]\nType = 's3'\nShared = false\n[runners.cache.s3]\nBucketName = 'b'\n[runners.cache.gcs]\n\
        [runners.artifact]\nupload_timeout = '1h'\n[runners.docker]\nimage = 'a'\n[runners.feature_flags]\nFF_X = true\n\
        [[runners]]\nexecutor = 'shell'\nproxy_exec = true\n[[runners.monitoring.job_queuing_durations]]\nthreshold = '1m'\n";
    let config = Config::parse_with(text, &|_| None).unwrap();
    let mut keys = config.keys_without_effect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "experimental.usage_logger.enabled",
            "experimental.usage_logger.snowplow_billing.realm",
            "runners.artifact.upload_timeout",
            "runners.cache.Type",
            "runners.cache.s3.BucketName",
            "runners.monitoring.job_queuing_durations.threshold",
            "runners.proxy_exec",
            "runners.step_runner_image",
            "runners.use_slot_cgroups",
            "sentry_dsn",
        ]
    );
    let plain = Config::parse_with(
        "[session_server]\n[[runners]]\n[runners.cache]\n[runners.cache.s3]",
        &|_| None,
    );
    let plain = plain.unwrap();
    assert_eq!(plain.keys_without_effect(), [""; 0]);
    assert_eq!(plain.unknown_flags(), [""; 0]);
    assert_eq!(config.unknown_flags(), ["FF_X"]);
}

/// What a killed process left goes with a later save.
#[test]
fn abandoned_files_are_swept() {
    use std::fs;
    use std::time::{Duration, SystemTime};
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (
        folder.path().join(".config.toml.old"),
        folder.path().join(".config.toml.new"),
    );
    for path in [&old, &new] {
        fs::write(path, "half").unwrap();
    }
    let hour_ago = SystemTime::now() - Duration::from_hours(1);
    fs::File::options()
        .write(true)
        .open(&old)
        .unwrap()
        .set_modified(hour_ago)
        .unwrap();
    Config::default()
        .save(&folder.path().join("config.toml"))
        .unwrap();
    assert!(!old.exists() && new.exists());
}
