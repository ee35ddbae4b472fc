//! What `register` writes for each executor and many options, against what the official runner wrote in
//! the recorded session `register-forms`.

use super::support::{Desk, steady};

fn recorded(name: &str) -> &'static str {
    match name {
        "shell" => include_str!("../data/config/form-shell.toml"),
        "docker" => include_str!("../data/config/form-docker.toml"),
        "docker-windows" => include_str!("../data/config/form-docker-windows.toml"),
        "docker-machine" => include_str!("../data/config/form-docker-machine.toml"),
        "ssh" => include_str!("../data/config/form-ssh.toml"),
        "parallels" => include_str!("../data/config/form-parallels.toml"),
        "virtualbox" => include_str!("../data/config/form-virtualbox.toml"),
        "custom" => include_str!("../data/config/form-custom.toml"),
        "flags" => include_str!("../data/config/form-flags.toml"),
        "docker-flags" => include_str!("../data/config/form-docker-flags.toml"),
        other => panic!("{other}"),
    }
}

const FLAGS: &[&str] = &[
    "--executor",
    "shell",
    "--name",
    "qu\"ote \\ tab\there ünï\u{1}",
    "--limit",
    "3",
    "--output-limit",
    "5",
    "--request-concurrency",
    "2",
    "--env",
    "A=1",
    "--env",
    "B=x \"y\" z",
    "--env",
    "C=l1\nl2",
    "--pre-build-script",
    "echo \"a\"\necho b",
    "--builds-dir",
    "/b",
    "--cache-dir",
    "/c",
    "--clone-url",
    "http://x",
    "--shell",
    "bash",
    "--feature-flags",
    "FF_X:true",
    "--feature-flags",
    "FF_A:false",
    "--debug-trace-disabled",
    "--prepare-timeout",
    "1h30m",
    "--unhealthy-interval",
    "90s",
    "--strict-check-interval",
    "true",
    "--unhealthy-requests-limit",
    "4",
    "--job-status-final-update-retry-limit",
    "2",
    "--custom_build_dir-enabled=true",
    "--clean-git-config=false",
    "--cache-type",
    "s3",
    "--cache-path",
    "p",
    "--cache-shared",
    "--cache-s3-server-address",
    "s3.x",
    "--cache-s3-bucket-name",
    "b",
    "--cache-s3-path-style=false",
    "--tls-ca-file",
    "/ca",
];

const DOCKER_FLAGS: &[&str] = &[
    "--executor",
    "docker",
    "--docker-image",
    "a:1",
    "--docker-privileged",
    "--docker-services-limit",
    "2",
    "--docker-pull-policy",
    "always,never",
    "--docker-cpu-shares",
    "5",
    "--docker-sysctls",
    "a:b",
    "--docker-shm-size",
    "100",
    "--docker-volumes",
    "/a:/b",
    "--docker-memory",
    "1g",
    "--docker-tlsverify",
    "--docker-tmpfs",
    "/t:rw",
    "--docker-extra-hosts",
    "h:1.2.3.4",
];

/// Proves RUN-CLI-13, RUN-CLI-26.
#[tokio::test]
async fn each_executor_is_written_as_recorded() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    for (name, options) in [
        ("shell", &["--executor", "shell"][..]),
        (
            "docker",
            &["--executor", "docker", "--docker-image", "alpine:3"],
        ),
        (
            "docker-windows",
            &["--executor", "docker-windows", "--docker-image", "win:1"],
        ),
        (
            "docker-machine",
            &["--executor", "docker+machine", "--docker-image", "alpine:3"],
        ),
        (
            "ssh",
            &["--executor", "ssh", "--ssh-host", "h", "--ssh-user", "u"],
        ),
        (
            "parallels",
            &[
                "--executor",
                "parallels",
                "--parallels-base-name",
                "vm",
                "--ssh-host",
                "h",
            ],
        ),
        (
            "virtualbox",
            &[
                "--executor",
                "virtualbox",
                "--virtualbox-base-name",
                "vm",
                "--ssh-user",
                "u",
            ],
        ),
        (
            "custom",
            &[
                "--executor",
                "custom",
                "--custom-run-exec",
                "/x",
                "--custom-run-args",
                "a b",
                "--custom-run-args",
                "c",
            ],
        ),
        ("flags", FLAGS),
        ("docker-flags", DOCKER_FLAGS),
    ] {
        let mut options = options.to_vec();
        if name != "flags" {
            options.extend(["--name", "vm"]);
        }
        if name == "flags" {
            // The file names a CA, which must be one that can be read.
            let text = desk.write("ca.pem", "");
            assert!(text.ends_with("ca.pem"));
        }
        let file = format!("{name}.toml");
        let (config, url) = (desk.path(&file).display().to_string(), desk.url());
        let mut args = vec![
            "register",
            "-n",
            "-c",
            &config,
            "--url",
            &url,
            "--token",
            super::support::TOKEN,
        ];
        args.extend(options);
        let ran = desk.run(&args).ended(0);
        assert_eq!(
            desk.saved(&file),
            steady(recorded(name)),
            "{name}: {}",
            ran.log()
        );
        if name == "flags" {
            let warnings: Vec<&str> = ran.stderr.lines().take(2).collect();
            assert!(
                warnings[0].ends_with("level=warning msg=\"boolean parameters must be passed in the command line with --strict-check-interval=true\""),
                "{warnings:?}"
            );
            assert!(
                warnings[1].ends_with("level=warning msg=\"parameters after this may be ignored\""),
                "{warnings:?}"
            );
        }
    }
}

/// One that is there already, or `disable_cache`, is enough.
///
/// Proves RUN-CLI-13.
#[tokio::test]
async fn docker_has_a_cache_volume_once() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    for (options, line) in [
        (
            &["--docker-volumes", "/x:/cache"][..],
            "volumes = [\"/x:/cache\"]\n",
        ),
        (
            &["--docker-volumes", "/cache:ro"],
            "volumes = [\"/cache:ro\", \"/cache\"]\n",
        ),
        (
            &["--docker-disable-cache", "--docker-volumes", "/a"],
            "volumes = [\"/a\"]\n",
        ),
    ] {
        let mut args = vec!["--executor", "docker", "--docker-image", "a"];
        args.extend(options);
        desk.register(&args).ended(0);
        assert!(
            desk.read("config.toml").contains(line),
            "{}",
            desk.read("config.toml")
        );
        std::fs::remove_file(desk.path("config.toml")).unwrap();
    }
}

/// Keys that may be unset keep what an option says, even zero.
///
/// Proves RUN-CLI-26.
#[tokio::test]
async fn options_and_variables_reach_nested_tables() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let (config, url) = (desk.config(), desk.url());
    let args = [
        "register",
        "-n",
        "-c",
        &config,
        "--url",
        &url,
        "--token",
        super::support::TOKEN,
        "--executor",
        "kubernetes",
        "--prepare-timeout",
        "0s",
        "--kubernetes-pod_termination_grace_period_seconds",
        "0",
        "--kubernetes-build_container_security_context-privileged",
        "false",
        "--kubernetes-build_container_security_context-capabilities-add",
        "NET_ADMIN",
        "--kubernetes-node-selector",
        "disk:ssd",
        "--kubernetes-node_selector_overwrite_allowed",
        ".*",
        "--kubernetes-pod-security-context-seccomp_profile-type",
        "RuntimeDefault",
    ];
    let env = [
        ("KUBERNETES_NAMESPACE", "ci"),
        ("KUBECTL_CONTEXT", "here"),
        ("KUBERNETES_SERVICE_EPHEMERAL_STORAGE_LIMIT", "1Gi"),
        ("KUBERNETES_POD_SECURITY_CONTEXT_RUN_AS_USER", "0"),
        ("CACHE_S3_BUCKET_NAME", "bucket"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/creds"),
        ("CACHE_MAXIMUM_UPLOADED_ARCHIVE_SIZE", "7"),
        // Of another executor: dropped.
        ("DOCKER_IMAGE", "x"),
    ];
    desk.run_with(&args, &env, "").ended(0).says(
        "WARNING: This runner has no executor kubernetes yet: the entry is written, but takes no jobs here",
    );
    let saved = desk.saved("config.toml");
    let at = saved.find("  prepare_timeout").unwrap();
    assert_eq!(
        &saved[at..],
        "  prepare_timeout = \"0s\"
  [runners.cache]
    MaxUploadedArchiveSize = 7
    [runners.cache.s3]
      BucketName = \"bucket\"
      AssumeRoleMaxConcurrency = 0
    [runners.cache.gcs]
      CredentialsFile = \"/creds\"
    [runners.cache.azure]
  [runners.kubernetes]
    host = \"\"
    context = \"here\"
    bearer_token_overwrite_allowed = false
    image = \"\"
    namespace = \"ci\"
    namespace_overwrite_allowed = \"\"
    namespace_per_job = false
    service_ephemeral_storage_limit = \"1Gi\"
    node_selector_overwrite_allowed = \".*\"
    node_tolerations_overwrite_allowed = \"\"
    pod_termination_grace_period_seconds = 0
    pod_labels_overwrite_allowed = \"\"
    service_account_overwrite_allowed = \"\"
    pod_annotations_overwrite_allowed = \"\"
    [runners.kubernetes.node_selector]
      disk = \"ssd\"
    [runners.kubernetes.pod_security_context]
      run_as_user = 0
      [runners.kubernetes.pod_security_context.seccomp_profile]
        type = \"RuntimeDefault\"
    [runners.kubernetes.build_container_security_context]
      privileged = false
      [runners.kubernetes.build_container_security_context.capabilities]
        add = [\"NET_ADMIN\"]
    [runners.kubernetes.volumes]
    [runners.kubernetes.dns_config]
"
    );
    // What was written is read again, and nothing in it is unknown.
    desk.run(&["lint", "-c", &config]).ended(0);
}

/// Proves RUN-CLI-12.
#[tokio::test]
async fn what_an_executor_needs_must_be_given() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    for (executor, key) in [
        ("docker", "docker-image"),
        ("ssh", "ssh-server"),
        ("parallels", "parallels-vm"),
        ("virtualbox", "virtualbox-vm"),
    ] {
        desk.register(&["--executor", executor])
            .ended(1)
            .says(&format!("PANIC: The {key} needs to be entered"));
    }
    let unregistered = desk
        .seen()
        .await
        .iter()
        .filter(|(call, _)| call == "DELETE /runners/managers")
        .count();
    assert_eq!(unregistered, 4);
}
