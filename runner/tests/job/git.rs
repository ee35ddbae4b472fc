//! Sources with a real git (runner.md 7). A program called `git` before the real one on the path notes
//! every call.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::shell::{program, section};
use super::support::{Ran, TestJob};

/// Runs git and gives what it prints.
pub(crate) fn git(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "a")
        .env("GIT_AUTHOR_EMAIL", "a@b")
        .env("GIT_COMMITTER_NAME", "a")
        .env("GIT_COMMITTER_EMAIL", "a@b")
        .output()
        .expect("git");
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {words:?}: {errors}");
    text
}

/// A place with a repository of two commits, and room for the job.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) url: String,
    sha: String,
}

impl Site {
    pub(crate) fn new() -> Site {
        Site::with_format("sha1")
    }

    fn with_format(format: &str) -> Site {
        let folder = tempfile::tempdir().expect("temp");
        let work = folder.path().join("work");
        std::fs::create_dir(&work).expect("folder");
        git(
            &work,
            &["init", "-q", "-b", "main", "--object-format", format],
        );
        for name in ["one", "two"] {
            std::fs::write(work.join(name), name).expect("file");
            git(&work, &["add", "."]);
            git(&work, &["commit", "-qm", name]);
        }
        let sha = git(&work, &["rev-parse", "HEAD"]);
        let bare = folder.path().join("r.git");
        git(folder.path(), &["clone", "-q", "--bare", "work", "r.git"]);
        let url = format!("file://{}", bare.display());
        Site { folder, url, sha }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The project directory of jobs.
    fn project(&self) -> PathBuf {
        let slug = self
            .url
            .trim_start_matches("file:///")
            .trim_end_matches(".git");
        self.path().join("builds/AbCdEfGhI/0").join(slug)
    }

    /// A job for the last commit.
    pub(crate) fn job(&self) -> TestJob {
        let mut job = TestJob::new().with("variables", json!([]));
        job.payload["git_info"]["repo_url"] = json!(self.url);
        job.payload["git_info"]["sha"] = json!(self.sha);
        job
    }

    /// Runs a job; the calls of git are noted, `git lfs` is played, and the first call with `failing`
    /// fails.
    async fn noted(&self, mut job: TestJob, failing: &str) -> (Ran, Vec<String>) {
        let bin = self.path().join("bin");
        std::fs::create_dir_all(&bin).expect("folder");
        let real = String::from_utf8(
            Command::new("sh")
                .args(["-c", "command -v git"])
                .output()
                .expect("sh")
                .stdout,
        );
        let notes = self.path().join("notes");
        let _ = std::fs::remove_file(&notes);
        let code = format!(
            "#!/bin/sh\necho \"$*\" >> {notes}\nif [ -n '{failing}' ] && [ ! -e {notes}.failed ]; then\n\
             case \"$*\" in *'{failing}'*) touch {notes}.failed; exit 1 ;; esac\nfi\n\
             if [ \"$1\" = lfs ]; then exit 0; fi\nexec {real} \"$@\"\n",
            notes = notes.display(),
            real = real.expect("path").trim(),
        );
        program(&bin.join("git"), &code);
        let path = std::env::var("PATH").unwrap_or_default();
        job.config
            .environment
            .push(format!("PATH={}:{path}", bin.display()));
        let ran = job.in_bash(self.path()).await;
        let notes = std::fs::read_to_string(&notes).unwrap_or_default();
        (ran, notes.lines().map(str::to_owned).collect())
    }
}

/// Calls that get sources, without those that only configure.
fn calls<'a>(notes: &'a [String], words: &[&str]) -> Vec<&'a str> {
    notes
        .iter()
        .map(String::as_str)
        .filter(|call| {
            words
                .iter()
                .any(|word| call.split(' ').any(|part| part == *word))
        })
        .filter(|call| !call.contains("config -") && !call.starts_with("config"))
        .collect()
}

fn agent() -> String {
    format!(
        "-c http.userAgent=gitlab-runner 19.4.0 {}/{}",
        runner::host::platform(),
        runner::host::architecture()
    )
}

/// Proves RUN-GIT-04, RUN-GIT-05, RUN-GIT-12.
#[tokio::test]
async fn command_lines() {
    let site = Site::new();
    let (ran, notes) = site.noted(site.job(), "").await;
    assert!(ran.outcome.is_success(), "{}", ran.text());
    let tail = ["fetch", "checkout", "clean", "pull"];
    let refspec = "+refs/heads/*:refs/remotes/origin/*";
    let checkout = format!("-c submodule.recurse=false checkout -f -q {}", site.sha);
    assert_eq!(
        calls(&notes, &tail),
        [
            format!(
                "{} fetch origin --no-recurse-submodules {refspec} --depth 20 --prune --quiet",
                agent()
            )
            .as_str(),
            &checkout,
            "clean -ffdx",
            "lfs pull",
        ]
    );
    let short = &site.sha[..8];
    assert!(ran.text().contains(&format!(
        "Checking out {short} as detached HEAD (ref is main)...\n"
    )));

    let flags = site
        .job()
        .variable("GIT_CLEAN_FLAGS", "-ffd -e cache/")
        .variable("GIT_FETCH_EXTRA_FLAGS", "--tags  --quiet")
        .variable("GIT_LFS_SKIP_SMUDGE", "true");
    let (_, notes) = site.noted(flags, "").await;
    assert_eq!(
        calls(&notes, &tail),
        [
            format!(
                "{} fetch origin --no-recurse-submodules {refspec} --depth 20 --tags --quiet",
                agent()
            )
            .as_str(),
            &checkout,
            "clean -ffd -e cache/",
        ]
    );

    let none = site
        .job()
        .variable("GIT_CLEAN_FLAGS", "none")
        .variable("GIT_FETCH_EXTRA_FLAGS", "none");
    let (_, notes) = site.noted(none, "").await;
    assert_eq!(
        calls(&notes, &tail),
        [
            format!(
                "{} fetch origin --no-recurse-submodules {refspec} --depth 20",
                agent()
            )
            .as_str(),
            &checkout,
            "lfs pull",
        ]
    );
}

/// `clone` begins with an empty directory, `fetch` keeps what git ignores not to clean; the payload
/// decides when no variable does.
///
/// Proves RUN-GIT-01.
#[tokio::test]
async fn strategies() {
    let site = Site::new();
    let keep = || site.job().variable("GIT_CLEAN_FLAGS", "none");
    let first = keep().script(&["touch kept"]).in_bash(site.path()).await;
    assert!(
        first.text().contains("Created fresh repository.\n"),
        "{}",
        first.text()
    );
    let again = keep().script(&["ls kept"]).in_bash(site.path()).await;
    assert!(again.outcome.is_success(), "{}", again.text());
    assert!(!again.text().contains("Created fresh repository."));
    for job in [
        keep().with("allow_git_fetch", json!(false)),
        keep().variable("GIT_STRATEGY", "clone"),
    ] {
        let fresh = job.script(&["touch kept; ls"]).in_bash(site.path()).await;
        assert!(
            fresh.text().contains("Created fresh repository.\n"),
            "{}",
            fresh.text()
        );
    }
}

/// Proves RUN-GIT-03.
#[tokio::test]
async fn a_shallow_repository_gets_its_history() {
    let site = Site::new();
    let mut job = site.job();
    job.payload["git_info"]["depth"] = json!(1);
    job.in_bash(site.path()).await;
    assert_eq!(git(&site.project(), &["rev-list", "--count", "HEAD"]), "1");
    let mut job = site.job();
    job.payload["git_info"]["depth"] = json!(0);
    let (_, notes) = site.noted(job, "").await;
    let fetch = calls(&notes, &["fetch"]);
    assert!(
        fetch[0].ends_with(" --prune --quiet --unshallow"),
        "{fetch:?}"
    );
    assert_eq!(git(&site.project(), &["rev-list", "--count", "HEAD"]), "2");
    // And once it has all of it, no more.
    let mut job = site.job();
    job.payload["git_info"]["depth"] = json!(0);
    let (_, notes) = site.noted(job, "").await;
    assert!(calls(&notes, &["fetch"])[0].ends_with(" --prune --quiet"));
}

/// Proves RUN-GIT-06.
#[tokio::test]
async fn the_repository_keeps_no_credentials() {
    let site = Site::new();
    let mut job = site.job().variable("GIT_CHECKOUT", "false");
    // Nobody listens there: what matters is what is written before.
    job.payload["git_info"]["repo_url"] =
        json!("http://gitlab-ci-token:glcbt-64_secret@127.0.0.1:1/group/demo.git");
    let ran = job.in_bash(site.path()).await;
    assert!(!ran.outcome.is_success());
    let config = site
        .path()
        .join("builds/AbCdEfGhI/0/group/demo/.git/config");
    let text = std::fs::read_to_string(config).expect("config");
    assert!(
        text.contains("url = http://127.0.0.1:1/group/demo.git"),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}

/// Proves RUN-GIT-07, RUN-GIT-08.
#[tokio::test]
async fn leftovers_are_removed() {
    let site = Site::new();
    let files = [
        "index.lock",
        "shallow.lock",
        "HEAD.lock",
        "config.lock",
        "hooks/post-checkout",
        "refs/heads/deep/x.lock",
    ];
    let litter = format!(
        "mkdir -p .git/hooks .git/refs/heads/deep; for f in {} hooks/other packed-refs.lock; do echo '#!/bin/false' > .git/$f; \
         chmod +x .git/$f; done; git config -f .git/config my.own 1 || true; rm -f .git/config.lock; touch .git/config.lock",
        files.join(" ")
    );
    let git_folder = site.project().join(".git");
    // At the end of the job that left them.
    let ran = site.job().script(&[&litter]).in_bash(site.path()).await;
    assert!(ran.outcome.is_success(), "{}", ran.text());
    for file in files {
        assert!(!git_folder.join(file).exists(), "{file}");
    }
    // The shell executor keeps the configuration and other hooks.
    assert!(
        git_folder.join("hooks/other").exists() && git_folder.join("packed-refs.lock").exists()
    );
    std::fs::remove_file(git_folder.join("packed-refs.lock")).expect("lock");
    // And before the next fetch.
    for file in files {
        std::fs::create_dir_all(git_folder.join(file).parent().expect("folder")).expect("folder");
        std::fs::write(git_folder.join(file), "#!/bin/false\n").expect("file");
    }
    let next = site.job().in_bash(site.path()).await;
    assert!(next.outcome.is_success(), "{}", next.text());

    git(&site.project(), &["config", "my.own", "1"]);
    let mut clean = site.job();
    clean.config.clean_git_config = Some(true);
    let ran = clean.in_bash(site.path()).await;
    assert!(ran.outcome.is_success(), "{}", ran.text());
    assert!(!git_folder.join("hooks").exists());
    let config = std::fs::read_to_string(git_folder.join("config")).unwrap_or_default();
    assert!(!config.contains("own"), "{config}");
    // Not where git has no part.
    std::fs::create_dir_all(git_folder.join("hooks")).expect("hooks");
    let mut none = site.job().variable("GIT_STRATEGY", "none");
    none.config.clean_git_config = Some(true);
    none.in_bash(site.path()).await;
    assert!(git_folder.join("hooks").exists());
}

/// Proves RUN-GIT-14.
#[tokio::test]
async fn another_object_format() {
    let site = Site::with_format("sha256");
    let mut job = site.job();
    job.payload["git_info"]["repo_object_format"] = json!("sha256");
    let (ran, notes) = site.noted(job, "").await;
    assert!(ran.outcome.is_success(), "{}", ran.text());
    assert!(calls(&notes, &["init"])[0].ends_with("/git-template --object-format sha256"));
    assert_eq!(git(&site.project(), &["rev-parse", "HEAD"]), site.sha);
    assert_eq!(site.sha.len(), 64);
}

/// Proves RUN-GIT-15.
#[tokio::test]
async fn strategy_empty_has_a_directory_of_its_own() {
    let site = Site::new();
    let empty = || site.job().variable("GIT_STRATEGY", "empty");
    let ran = empty()
        .script(&["ls -A | wc -l; touch x; echo ${PWD##*/}"])
        .in_bash(site.path())
        .await;
    assert!(
        section(&ran, "step_script").ends_with("\n0\nr-empty\n"),
        "{}",
        ran.text()
    );
    let ran = empty()
        .script(&["ls -A | wc -l"])
        .in_bash(site.path())
        .await;
    assert!(
        section(&ran, "step_script").ends_with("\n0\n"),
        "{}",
        ran.text()
    );
    assert!(!site.project().exists());
}

/// Calls about submodules, in order, with a failing first update and without.
///
/// Proves RUN-GIT-11, RUN-GIT-16.
#[tokio::test]
async fn submodules() {
    let site = Site::new();
    let ext = format!("{}.tmp/.gitlab-runner.ext.conf", site.project().display());
    let include = format!("-c include.path={ext}");
    let job = site
        .job()
        .variable("GIT_SUBMODULE_STRATEGY", "recursive")
        .variable("GIT_SUBMODULE_UPDATE_FLAGS", "--jobs 4 --remote");
    let update =
        format!("{include} submodule update --init --recursive --depth 20 --jobs 4 --remote");
    let sync = "submodule sync --recursive";
    let clean = "submodule foreach --recursive git clean -ffdx";
    let reset = "submodule foreach --recursive git reset --hard";
    let configure =
        format!("submodule foreach --recursive git config --replace-all include.path {ext}");
    let pull = format!("{include} submodule foreach --recursive git lfs pull");
    let fetch = format!(
        "{include} submodule foreach --recursive git fetch origin +refs/heads/*:refs/remotes/origin/*"
    );
    let begin = ["submodule init", sync, clean, reset, update.as_str()];
    let end = [clean, configure.as_str(), pull.as_str()];

    let about_submodules = |notes: Vec<String>| -> Vec<String> {
        notes
            .into_iter()
            .filter(|call| {
                call.contains("submodule ")
                    && !call.contains("submodule--helper")
                    && !call.contains("checkout")
            })
            .collect()
    };
    let fine = site.job().variable("GIT_SUBMODULE_STRATEGY", "normal");
    let (ran, notes) = site.noted(fine, "").await;
    assert!(ran.outcome.is_success(), "{}", ran.text());
    let update_normal = format!("{include} submodule update --init --depth 20");
    assert_eq!(
        about_submodules(notes),
        [
            "submodule init",
            "submodule sync",
            "submodule foreach git clean -ffdx",
            "submodule foreach git reset --hard",
            &update_normal,
            "submodule sync",
            "submodule foreach git clean -ffdx",
            &configure,
            &format!("{include} submodule foreach git lfs pull"),
        ]
    );
    assert!(ran.text().contains("Updated submodules\n"));
    assert!(
        ran.text()
            .contains("Configuring submodules to use parent git credentials...\n")
    );

    // A failing update is tried once more, after another sync.
    let (ran, notes) = site.noted(job, "submodule update").await;
    assert!(ran.outcome.is_success(), "{}", ran.text());
    for line in [
        "Updating/initializing submodules recursively with git depth set to 20...\n",
        "Updating submodules failed. Retrying...\n",
    ] {
        assert!(ran.text().contains(line), "{}", ran.text());
    }
    let retry = [fetch.as_str(), sync, update.as_str(), reset];
    let expected: Vec<String> = [&begin[..], &retry[..], &end[..]]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(about_submodules(notes), expected);
}
