//! Stages that the manager carries out itself where a shell could add nothing: the log and the files must
//! be those of a shell.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use super::shell::section;
use super::support::{Ran, TestJob};

/// A job in a shell whose profile does this, beside writing down that it was read. Also: how often.
async fn under(profile: &str, job: TestJob, folder: &Path) -> (Ran, usize) {
    let home = tempfile::tempdir().expect("temp");
    let reads = home.path().join("reads");
    let text = format!("echo read >> '{}'\n{profile}\n", reads.display());
    std::fs::write(home.path().join(".bash_profile"), text).expect("profile");
    let ran = job.in_bash_of(home.path(), folder).await;
    let reads = std::fs::read_to_string(reads).expect("a profile was read");
    (ran, reads.lines().count())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temp")
}

/// Names of all files and folders below `path`, relative to it, with their modes.
fn tree(path: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("folder") {
            let entry = entry.expect("entry");
            let metadata = entry.metadata().expect("metadata");
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            let name = entry.path();
            let name = name.strip_prefix(path).expect("below").display();
            found.push((name.to_string(), metadata.permissions().mode()));
        }
    }
    found.sort();
    found
}

/// Goal: the log of a job whose profile is silent is that of one whose profile speaks, without what it
/// says; so are the files that stay. A profile that speaks is read for each of the four stages, a silent
/// one only for the two whose shell does something.
#[tokio::test]
async fn a_silent_profile_changes_nothing_in_log_and_files() {
    let job = || {
        TestJob::new()
            .with(
                "variables",
                json!([
                    {"key": "GIT_STRATEGY", "value": "none"},
                    {"key": "FILE", "value": "content", "file": true},
                ]),
            )
            .script(&["cat \"$FILE\"; echo; test -f \"$GITLAB_ENV\"; touch kept"])
    };
    let (silent_folder, loud_folder) = (folder(), folder());
    let (silent, silent_reads) = under("umask 027", job(), silent_folder.path()).await;
    let (loud, loud_reads) = under("umask 027; echo hello", job(), loud_folder.path()).await;
    assert!(silent.outcome.failure.is_none(), "{}", silent.text());
    assert_eq!((silent_reads, loud_reads), (2, 4));
    let text = loud.text();
    assert_eq!(text.matches("hello\n").count(), 4, "{text}");
    assert_eq!(silent.text(), text.replace("hello\n", ""));
    assert_eq!(
        section(&silent, "get_sources"),
        "Skipping Git repository setup\nSkipping Git checkout\nSkipping Git submodules setup\n"
    );
    let files = tree(silent_folder.path());
    assert_eq!(files, tree(loud_folder.path()));
    let (project, mode) = files
        .iter()
        .find(|(name, _)| name.ends_with("/group/demo"))
        .expect("project");
    assert_eq!(mode & 0o777, 0o750, "{project}");
    assert!(files.iter().any(|(name, _)| name.ends_with("/demo/kept")));
    assert!(!files.iter().any(|(name, _)| name.ends_with("/FILE")));
}

/// Goal: also a profile that speaks on stderr, or when its shell logs out, is heard.
#[tokio::test]
async fn every_word_of_a_profile_counts() {
    for profile in [
        "echo oops >&2",
        "echo 'echo bye' > ~/.bash_logout",
        "printf 'no newline '",
    ] {
        let (ran, reads) = under(profile, TestJob::new(), folder().path()).await;
        assert!(ran.outcome.failure.is_none(), "{}", ran.text());
        assert_eq!(reads, 4, "{profile}");
    }
}

/// Goal: where a shell would do more, there is one: variables for later stages, which are exported in the
/// cleanup too; a repository, whose locks are looked for; names that `export` refuses; paths and settings
/// that mean something to the shell.
#[tokio::test]
async fn a_shell_wherever_it_does_more() {
    let cases: [(&str, TestJob, usize); 5] = [
        (
            "GITLAB_ENV",
            TestJob::new().script(&["echo 'A=1' >> $GITLAB_ENV"]),
            3,
        ),
        (
            "repository",
            TestJob::new().script(&["mkdir -p .git/refs/heads", "touch .git/refs/heads/x.lock"]),
            3,
        ),
        ("name", TestJob::new().variable("LANG", "C"), 4),
        ("empty", TestJob::new().variable("GIT_STRATEGY", "empty"), 4),
        (
            "debug trace",
            TestJob::new().variable("CI_DEBUG_TRACE", "true"),
            4,
        ),
    ];
    for (what, job, shells) in cases {
        let folder = folder();
        let (ran, reads) = under("", job, folder.path()).await;
        assert!(ran.outcome.failure.is_none(), "{what}: {}", ran.text());
        assert_eq!(reads, shells, "{what}");
        let left = tree(folder.path());
        let is_left = |(name, _): &(String, u32)| {
            let ends = [".lock", "gitlab_runner_env"];
            ends.iter().any(|end| name.ends_with(end))
        };
        assert!(!left.iter().any(is_left), "{what}: {left:?}");
    }
    let refused = TestJob::new().variable("no-name", "x");
    let (ran, _) = under("", refused, folder().path()).await;
    assert_eq!(ran.failure(), ("exit status 1", "script_failure", 1));
    let errors = section(&ran, "get_sources");
    assert!(errors.contains("not a valid identifier"), "{errors}");
}

/// Goal: what cannot be made in `prepare_script` fails in `get_sources`, with the words of the shell.
#[tokio::test]
async fn directories_that_cannot_be_made_fail_in_get_sources() {
    let folder = folder();
    std::fs::write(folder.path().join("builds"), "a file").expect("file");
    let (ran, _) = under("", TestJob::new(), folder.path()).await;
    assert_eq!(ran.failure().0, "exit status 1", "{}", ran.text());
    let prepared = section(&ran, "prepare_script");
    assert_eq!(prepared.lines().count(), 1, "{prepared}");
    let errors = section(&ran, "get_sources");
    assert!(errors.contains("mkdir: "), "{errors}");
}
