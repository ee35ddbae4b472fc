//! git and git-lfs, as Debian has them, against the git endpoint.

use std::path::Path;
use std::process::{Command, Output};

use mock_gitlab::MockGitlab;
use mock_gitlab::library::ProjectHandle;
use tempfile::TempDir;

/// A running job of a project with three commits, and a folder whose `HOME` is its own.
struct Job {
    gitlab: MockGitlab,
    project: ProjectHandle,
    home: TempDir,
    pipeline: i64,
    token: String,
}

impl Job {
    fn new() -> Job {
        let gitlab = MockGitlab::start().expect("a server");
        let project = gitlab
            .project("group/demo")
            .file("README.md", "one\n")
            .commit("One")
            .file("README.md", "two\n")
            .commit("Two")
            .file(
                ".gitattributes",
                "*.bin filter=lfs diff=lfs merge=lfs -text\n",
            )
            .file("README.md", "three\n")
            .lfs_file("data/large.bin", &large())
            .commit("Three")
            .create()
            .expect("a project");
        let runner = gitlab.runner().create().expect("a runner");
        let job = project.job("test").create().expect("a job");
        let poll = protocol::JobRequest {
            token: runner.token(),
            ..protocol::JobRequest::default()
        };
        let token = gitlab.act(|world, now| {
            assert!(matches!(
                world.request_job(now, &poll, "127.0.0.1"),
                mock_gitlab::world::PollAnswer::Job(_)
            ));
            let job = world.job(job.id()).expect("the job");
            job.token().expect("a running job").to_owned()
        });
        let pipeline = gitlab.act(|world, _| world.job(job.id()).and_then(|job| job.pipeline));
        Job {
            gitlab,
            project,
            home: tempfile::tempdir().expect("a folder"),
            pipeline: pipeline.expect("a pipeline"),
            token,
        }
    }

    /// The repository's URL with the job token.
    fn url(&self) -> String {
        self.url_for("gitlab-ci-token", &self.token)
    }

    /// The repository's URL with the administrator's personal access token.
    fn user_url(&self) -> String {
        self.url_for("root", self.gitlab.admin_token())
    }

    fn url_for(&self, user: &str, password: &str) -> String {
        let address = self.gitlab.url().trim_start_matches("http://");
        let path = self.project.full_path();
        format!("http://{user}:{password}@{address}/{path}.git")
    }

    fn git(&self, folder: &Path, args: &[&str]) -> Output {
        Command::new("git")
            .args(args)
            .current_dir(folder)
            .env("HOME", self.home.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_NAME", "Somebody")
            .env("GIT_AUTHOR_EMAIL", "somebody@example.com")
            .env("GIT_COMMITTER_NAME", "Somebody")
            .env("GIT_COMMITTER_EMAIL", "somebody@example.com")
            .output()
            .expect("git")
    }

    /// Runs git, which must succeed; gives what it wrote.
    fn good(&self, folder: &Path, args: &[&str]) -> String {
        let output = self.git(folder, args);
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// Not compressible, larger than one read.
fn large() -> Vec<u8> {
    (0..300_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// Whether git-lfs is there. A run in CI must not pass without it.
fn lfs_is_there() -> bool {
    let there = Command::new("git-lfs").arg("version").output().is_ok();
    assert!(
        there || std::env::var_os("CI").is_none(),
        "git-lfs is missing; .ci/run installs it"
    );
    there
}

/// A full clone has every commit; pushing is refused.
#[test]
fn git_clone() {
    let job = Job::new();
    let home = job.home.path();
    job.good(home, &["clone", "--quiet", &job.url(), "demo"]);
    let demo = home.join("demo");
    let log = job.good(&demo, &["log", "--format=%s"]);
    assert_eq!(log, "Three\nTwo\nOne");
    assert_eq!(job.good(&demo, &["rev-parse", "HEAD"]), job.project.sha());
    assert_eq!(job.good(&demo, &["show", "HEAD~1:README.md"]), "two");
    job.good(&demo, &["commit", "--quiet", "--allow-empty", "-m", "Four"]);
    let push = job.git(&demo, &["push", "origin", "HEAD:main"]);
    assert!(!push.status.success());
    let said = String::from_utf8_lossy(&push.stderr);
    assert!(said.contains("403"), "{said}");
}

/// What a runner does: a shallow fetch of the pipeline's ref, deepened step by step.
#[test]
fn git_fetch_depth() {
    let job = Job::new();
    let demo = job.home.path().join("demo");
    std::fs::create_dir(&demo).unwrap();
    job.good(&demo, &["init", "--quiet"]);
    job.good(&demo, &["remote", "add", "origin", &job.url()]);
    let refspec = format!("+refs/pipelines/{0}:refs/pipelines/{0}", job.pipeline);
    for (depth, commits) in [("1", "1"), ("2", "2"), ("50", "3")] {
        job.good(
            &demo,
            &["fetch", "--quiet", "--depth", depth, "origin", &refspec],
        );
        let head = format!("refs/pipelines/{}", job.pipeline);
        assert_eq!(job.good(&demo, &["rev-list", "--count", &head]), commits);
        assert_eq!(job.good(&demo, &["rev-parse", &head]), job.project.sha());
    }
    job.good(&demo, &["checkout", "--quiet", job.project.sha()]);
    assert_eq!(std::fs::read(demo.join("README.md")).unwrap(), b"three\n");
}

/// git-lfs asks for the objects of a commit and gets them; the server takes none, and says which are missing.
#[test]
fn git_lfs() {
    if !lfs_is_there() {
        println!("skipped: git-lfs is not installed");
        return;
    }
    let job = Job::new();
    let home = job.home.path();
    // Without its filters the pointer stays.
    job.good(home, &["clone", "--quiet", &job.url(), "pointers"]);
    let pointers = home.join("pointers");
    let pointer = std::fs::read_to_string(pointers.join("data/large.bin")).unwrap();
    assert!(
        pointer.starts_with("version https://git-lfs.github.com/spec/v1\n"),
        "{pointer}"
    );
    job.good(home, &["lfs", "install", "--skip-repo"]);
    job.good(&pointers, &["lfs", "pull"]);
    assert_eq!(
        std::fs::read(pointers.join("data/large.bin")).unwrap(),
        large()
    );
    assert_eq!(job.good(&pointers, &["status", "--porcelain"]), "");
    // With them a clone brings the file itself.
    job.good(home, &["clone", "--quiet", &job.url(), "files"]);
    let files = home.join("files");
    assert_eq!(
        std::fs::read(files.join("data/large.bin")).unwrap(),
        large()
    );
    assert!(job.good(&files, &["lfs", "fsck"]).contains("OK"));
    // Uploads by a job are refused.
    std::fs::write(files.join("new.bin"), b"new").unwrap();
    job.good(&files, &["add", "."]);
    job.good(&files, &["commit", "--quiet", "-m", "New"]);
    let push = job.git(&files, &["lfs", "push", "--all", "origin"]);
    assert!(!push.status.success());
    let said = String::from_utf8_lossy(&push.stderr);
    assert!(
        said.contains("403") || said.contains("Access forbidden"),
        "{said}"
    );
    // An object that the server lost is named.
    let stored = job
        .gitlab
        .git_root()
        .repository(job.project.full_path())
        .join("lfs");
    std::fs::remove_dir_all(stored).unwrap();
    std::fs::remove_dir_all(pointers.join(".git/lfs")).unwrap();
    std::fs::write(pointers.join("data/large.bin"), pointer).unwrap();
    let pull = job.git(&pointers, &["lfs", "pull"]);
    assert!(!pull.status.success());
    let said = String::from_utf8_lossy(&pull.stderr);
    assert!(said.contains("does not exist on the server"), "{said}");
}

/// Goal: a user pushes commits and large files as to GitLab, without a word of complaint, and a clone has
/// them.
#[test]
fn git_push_and_lfs_push() {
    if !lfs_is_there() {
        println!("skipped: git-lfs is not installed");
        return;
    }
    let job = Job::new();
    let home = job.home.path();
    job.good(home, &["lfs", "install", "--skip-repo"]);
    job.good(home, &["clone", "--quiet", &job.user_url(), "one"]);
    let one = home.join("one");
    let new: Vec<u8> = large().into_iter().rev().collect();
    std::fs::write(one.join("new.bin"), &new).unwrap();
    std::fs::write(one.join("empty.bin"), b"").unwrap();
    job.good(&one, &["add", "."]);
    job.good(&one, &["commit", "--quiet", "-m", "New"]);
    // The hook that `git lfs install` has put in place brings the object first.
    let push = job.git(&one, &["push", "origin", "HEAD:main"]);
    let said = String::from_utf8_lossy(&push.stderr);
    assert!(push.status.success(), "{said}");
    let said = said.to_lowercase();
    for word in ["lock", "error", "warning", "fatal"] {
        assert!(!said.contains(word), "{said}");
    }
    assert!(one.join(".git/hooks/pre-push").exists());
    // Once more: there is nothing to bring.
    job.good(&one, &["lfs", "push", "--all", "origin"]);
    job.good(home, &["clone", "--quiet", &job.url(), "two"]);
    let two = home.join("two");
    assert_eq!(std::fs::read(two.join("new.bin")).unwrap(), new);
    assert_eq!(std::fs::read(two.join("data/large.bin")).unwrap(), large());
    assert!(job.good(&two, &["lfs", "fsck"]).contains("OK"));
    let head = |folder: &Path| job.good(folder, &["rev-parse", "HEAD"]);
    assert_eq!(head(&two), head(&one));
    // Locks are asked for by hand: the answer is one line that says what is not there.
    let locks = job.git(&one, &["lfs", "locks"]);
    let said = String::from_utf8_lossy(&locks.stderr);
    assert!(
        said.contains("not enabled on this server")
            || said.contains("501")
            || said.contains("support"),
        "{said}"
    );
}
