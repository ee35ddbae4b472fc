//! `register --template-config` (runner.md 2.3).

use super::support::{Desk, TOKEN, steady};

/// The recorded template and what became of it.
///
/// Proves RUN-CLI-11.
#[tokio::test]
async fn a_template_fills_what_is_open() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let template = desk.write("t.toml", include_str!("../data/cli/template-source.toml"));
    let ran = desk
        .register(&[
            "--name",
            "vm",
            "--template-config",
            &template,
            "--env",
            "E=2",
        ])
        .ended(0)
        .says(&format!(
            "Merging configuration from template file \"{template}\""
        ));
    let recorded = include_str!("../data/cli/template.toml");
    assert_eq!(desk.saved("config.toml"), steady(recorded), "{}", ran.log());
    let (_, body) = &desk.seen().await[0];
    assert_eq!(body["token"], TOKEN);
}

/// Proves RUN-CLI-11.
#[tokio::test]
async fn a_template_has_one_entry() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let absent = desk.path("absent.toml").display().to_string();
    let none = desk.write("none.toml", "concurrent = 9\n");
    let two = desk.write("two.toml", "[[runners]]\n[[runners]]\n");
    let failed = "FATAL: Could not handle configuration merging from template file  error=";
    for file in [&absent, &none, &two] {
        desk.register(&["--executor", "shell", "--template-config", file])
            .ended(1)
            .says(&format!(
                "{failed}configuration template must contain exactly one [[runners]] entry"
            ));
    }
    let broken = desk.write("broken.toml", "concurrent =\n");
    let log = desk
        .register(&["--executor", "shell", "--template-config", &broken])
        .ended(1)
        .log();
    let error =
        "couldn't load configuration template file: decoding configuration file: toml: line 1";
    assert!(log.contains(&format!("{failed}{error}")), "{log}");
    assert!(desk.seen().await.is_empty());
    assert!(!desk.path("config.toml").exists());
}

/// Proves RUN-CLI-27.
#[tokio::test]
async fn zero_and_false_lose_maps_are_merged_and_lists_are_not() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let template = desk.write(
        "t.toml",
        "concurrent = 9
[[runners]]
  name = \"template\"
  url = \"URL\"
  token = \"template\"
  limit = 4
  output_limit = 8
  executor = \"shell\"
  environment = [\"T=1\"]
  clean_git_config = true
  debug_trace_disabled = true
  builds_dir = \"/template\"
  [runners.feature_flags]
    FF_A = true
    FF_B = true
    FF_C = false
  [runners.cache]
    Type = \"s3\"
    [runners.cache.s3]
      BucketName = \"template\"
      ServerAddress = \"template\"
",
    );
    let config = desk.config();
    desk.run(&[
        "register",
        "-n",
        "-c",
        &config,
        "--token",
        TOKEN,
        "--template-config",
        &template,
        "--limit",
        "0",
        "--output-limit",
        "2",
        "--clean-git-config=false",
        "--debug-trace-disabled=false",
        "--feature-flags",
        "FF_A:false",
        "--feature-flags",
        "FF_C:true",
        "--env",
        "F=1",
        "--builds-dir",
        "/flag",
        "--cache-s3-bucket-name",
        "flag",
    ])
    .ended(0);
    let saved = desk.read("config.toml");
    for line in [
        "concurrent = 1\n",
        "  limit = 4\n",
        "  output_limit = 2\n",
        "  environment = [\"F=1\"]\n",
        "  builds_dir = \"/flag\"\n",
        "  clean_git_config = true\n",
        "  debug_trace_disabled = true\n",
        "    FF_A = true\n    FF_B = true\n    FF_C = true\n",
        "    Type = \"s3\"\n",
        "      ServerAddress = \"template\"\n      BucketName = \"flag\"\n",
    ] {
        assert!(saved.contains(line), "{line:?} in {saved}");
    }
    assert!(
        !saved.contains("name = \"template\"") && !saved.contains("token = \"template\""),
        "{saved}"
    );
    assert!(saved.contains(&desk.url()), "{saved}");
}
