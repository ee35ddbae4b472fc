//! What a real bash makes of the scripts (runner.md 10.1).

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use super::support::{Ran, TestJob};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temp")
}

/// Runs commands in a folder of their own.
async fn run(commands: &[&str]) -> Ran {
    TestJob::new()
        .script(commands)
        .in_bash(folder().path())
        .await
}

/// What the section of a stage holds, without its title.
pub(crate) fn section(ran: &Ran, name: &str) -> String {
    let text = ran.text();
    let (_, rest) = text.split_once(&format!("[{name}\n# ")).expect("section");
    let (section, _) = rest
        .split_once(&format!("{name}]\n"))
        .expect("end of section");
    section
        .split_once('\n')
        .map_or("", |(_, output)| output)
        .to_owned()
}

/// Proves RUN-SH-02.
#[tokio::test]
async fn errexit_and_pipefail_are_on_and_stdin_is_empty() {
    let ran = run(&["false", "echo not reached"]).await;
    assert_eq!(ran.failure(), ("exit status 1", "script_failure", 1));
    assert!(!ran.text().contains("not reached\nnot"));
    assert_eq!(section(&ran, "step_script"), "$ false\n");
    let ran = run(&["(exit 3) | true"]).await;
    assert_eq!(ran.failure().2, 3);
    let ran = run(&["cat; echo end $(wc -c)"]).await;
    assert!(
        section(&ran, "step_script").ends_with("\nend 0\n"),
        "{}",
        ran.text()
    );
}

/// A profile is read, and what the manager has in its environment is there.
///
/// Proves RUN-SH-03, EXE-SHL-01.
#[tokio::test]
async fn a_login_shell_with_the_managers_environment_and_directory() {
    let folder = folder();
    // One process per stage: the body's parent is another one each time.
    let job = TestJob::new()
        .with(
            "hooks",
            json!([{"name": "pre_get_sources_script", "script": ["pwd; echo shell $$"]}]),
        )
        .script(&["shopt -q login_shell && echo login; echo \"path $PATH\"; echo shell $$"]);
    let mut job = job.variable("GIT_STRATEGY", "fetch");
    // Nothing to fetch from: only the hook is of interest.
    job.payload["git_info"]["repo_url"] = json!("file:///nowhere/group/demo.git");
    let first = job.in_bash(folder.path()).await;
    let here = std::env::current_dir().expect("cwd").display().to_string();
    let hook = section(&first, "get_sources");
    assert!(hook.contains(&format!("\n{here}\n")), "{hook}");

    let home = tempfile::tempdir().expect("temp");
    let profile = "export FROM_PROFILE=read; echo \"of $HOME\"\n";
    std::fs::write(home.path().join(".bash_profile"), profile).expect("profile");
    let job = TestJob::new().script(&[
        "shopt -q login_shell && echo login; echo \"profile $FROM_PROFILE\"; echo \"cargo $CARGO_PKG_NAME\"; echo shell $$",
    ]);
    let ran = job.in_bash_of(home.path(), folder.path()).await;
    let output = section(&ran, "step_script");
    let greeting = format!("of {}\n", home.path().display());
    assert!(output.starts_with(&greeting), "{output}");
    // What cargo gives this test, the manager here, in its environment.
    assert!(
        output.contains("\nlogin\nprofile read\ncargo runner\n"),
        "{output}"
    );
    let shell = |text: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("shell "));
        lines
            .find(|id| id.parse::<u32>().is_ok())
            .map(str::to_owned)
    };
    assert_ne!(shell(&hook), shell(&output));
}

/// The script comes by standard input: no file, and nothing of it among the arguments of the shell.
///
/// Proves EXE-SHL-02.
#[tokio::test]
async fn the_script_comes_on_standard_input() {
    let ran = run(&["tr '\\0' ' ' < /proc/$$/cmdline; echo; readlink /proc/$$/fd/0"]).await;
    let output = section(&ran, "step_script");
    let lines: Vec<&str> = output.lines().skip(1).collect();
    assert_eq!(lines[0], "bash -l ");
    assert!(
        lines[1].ends_with("(deleted)") || lines[1].starts_with("pipe:"),
        "{output}"
    );
}

/// Proves RUN-SH-01, RUN-SH-07.
#[tokio::test]
async fn commands_are_shown_before_they_run() {
    let ran = run(&["echo one", "", "echo two\necho three", "  echo four  "]).await;
    assert_eq!(
        section(&ran, "step_script"),
        "$ echo one\none\n\n$ echo two # collapsed multi-line command\ntwo\nthree\n$ echo four\nfour\n"
    );
    let ran = run(&[]).await;
    assert_eq!(section(&ran, "step_script"), "");
    assert!(ran.outcome.is_success());
}

/// Proves RUN-JOB-25.
#[tokio::test]
async fn templates_of_inputs_stay_without_inputs() {
    let ran = run(&["echo '${{ job.inputs.x }} ${{ y }}'"]).await;
    assert!(section(&ran, "step_script").ends_with("\n${{ job.inputs.x }} ${{ y }}\n"));
}

/// `exit`, `cd` and variables last as long as the step's shell, and no longer.
#[tokio::test]
async fn commands_of_a_step_share_a_shell() {
    let job = TestJob::new()
        .script(&[
            "cd /",
            "x=1; export y=2",
            "echo $PWD $x $y",
            "exit 0",
            "echo not reached",
        ])
        .after_script(&["echo \"in ${PWD##*/} [$x][$y]\""]);
    let ran = job.in_bash(folder().path()).await;
    assert!(
        section(&ran, "step_script").contains("\n/ 1 2\n$ exit 0\n"),
        "{}",
        ran.text()
    );
    assert!(!section(&ran, "step_script").contains("not reached"));
    assert!(
        section(&ran, "after_script").ends_with("\nin demo [][]\n"),
        "{}",
        ran.text()
    );
    assert!(section(&ran, "after_script").starts_with("Running after script...\n$ echo"));
}

/// Proves EXE-GEN-08, EXE-SHL-06.
#[tokio::test]
async fn exit_codes_have_the_shells_words() {
    for code in [1, 42, 255] {
        let ran = run(&[&format!("exit {code}")]).await;
        let message = format!("exit status {code}");
        assert_eq!(ran.failure(), (message.as_str(), "script_failure", code));
        assert!(
            ran.text()
                .ends_with(&format!("ERROR: Job failed: exit status {code}\n"))
        );
        assert!(ran.text().contains("\nUsing Shell (bash) executor...\n"));
    }
}

/// Proves EXE-SHL-07.
#[tokio::test]
async fn directories_stand_below_the_working_directory() {
    let folder = folder();
    let ran = TestJob::new().script(&["pwd"]).in_bash(folder.path()).await;
    let project = folder.path().join("builds/AbCdEfGhI/0/group/demo");
    let real = std::fs::canonicalize(&project).expect("project directory");
    assert!(
        section(&ran, "step_script").ends_with(&format!("\n{}\n", real.display())),
        "{}",
        ran.text()
    );
}

/// A program that cannot be started is no failure of the script.
///
/// Proves EXE-SHL-05.
#[tokio::test]
async fn a_shell_that_cannot_start_is_a_system_failure() {
    use runner::executor::shell::{ShellExecutor, ShellOptions, Watchdog};
    let options = ShellOptions {
        shell: "sh".to_owned(),
        user: "nobody".to_owned(),
        working_directory: folder().path().to_owned(),
        ..ShellOptions::default()
    };
    // With `--user` the program is `su`; where that is missing the text is the same.
    let executor =
        ShellExecutor::new(options, Watchdog::new()).with_program(&["/no/such/program", "-l"]);
    let ran = TestJob::new().run(Box::new(executor)).await;
    let (message, reason, code) = ran.failure();
    assert!(message.contains("failed to start process: "), "{message}");
    assert_eq!((reason, code), ("runner_system_failure", 0));
}

/// Writes a program.
pub(crate) fn program(path: &Path, code: &str) {
    std::fs::write(path, code).expect("program");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("mode");
}
