//! Which files are taken, and what is said about them (RUN-ART-03, RUN-ART-09).

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{Project, Ran, Server, members};

/// Uploads, and gives the names of what came.
fn taken(project: &Project, args: &[&str], variables: &[(&str, &str)]) -> (Vec<String>, Ran) {
    let server = Server::always(201);
    let ran = project
        .helper_with(&server, "artifacts-uploader", args, variables)
        .ended(0);
    let names = server
        .seen()
        .first()
        .map(|seen| members(&seen.part().2).into_keys().collect());
    (names.unwrap_or_default(), ran)
}

fn tree() -> Project {
    let project = Project::new().with(&[
        "d/1",
        "d/.hidden",
        "d/e/2",
        "d/e/f/3",
        "a.txt",
        "b.txt",
        ".git/config",
    ]);
    symlink("e", project.path("d/l")).unwrap();
    project
}

/// Proves RUN-ART-03.
///
/// Goal: the forms of paths and globs of runner.md 12, with what each takes. An outside one is left out
/// with a warning, and the job goes on.
#[test]
fn paths_and_globs() {
    let project = tree();
    let root = project.root().display().to_string();
    let whole = [
        "d/",
        "d/.hidden",
        "d/1",
        "d/e/",
        "d/e/2",
        "d/e/f/",
        "d/e/f/3",
        "d/l",
    ];
    for (path, expected) in [
        ("d", &whole[..]),
        ("d/", &whole),
        ("./d//", &whole),
        ("d/e/..", &whole),
        (&format!("{root}/d"), &whole),
        ("../project/d", &whole),
        ("d/**", &whole),
        ("*.txt", &["a.txt", "b.txt"]),
        ("{a,b}.txt", &["a.txt", "b.txt"]),
        ("[!a].txt", &["b.txt"]),
        ("?.txt", &["a.txt", "b.txt"]),
        (
            "d/*",
            &[
                "d/.hidden",
                "d/1",
                "d/e/",
                "d/e/2",
                "d/e/f/",
                "d/e/f/3",
                "d/l",
            ],
        ),
        ("d/**/3", &["d/e/f/3"]),
        ("**/config", &[".git/config"]),
        // Links are followed in the literal part only.
        ("d/l/*", &["d/l/2", "d/l/f/", "d/l/f/3"]),
        ("d/**/2", &["d/e/2"]),
        ("\\a.txt", &["a.txt"]),
    ] {
        let (names, ran) = taken(&project, &["--path", path], &[]);
        assert_eq!(names, expected, "{path}: {ran:#?}");
    }
    for (path, said) in [
        (
            "/etc/hosts",
            "WARNING: processPath: artifact path is not a subpath of project directory: /etc/hosts",
        ),
        (
            "../x",
            "WARNING: processPath: artifact path is not a subpath of project directory: ../x",
        ),
        (
            "d/../../projectx/a",
            "WARNING: processPath: artifact path is not a subpath of project directory: d/../../projectx/a",
        ),
        ("", "WARNING: No matching files. Path is empty."),
        ("[a", "WARNING: [a: syntax error in pattern"),
        (
            "none*",
            &format!(
                "WARNING: none*: no matching files. Ensure that the artifact path is relative to the working directory ({root})"
            ),
        ),
    ] {
        let (names, ran) = taken(&project, &["--path", path, "--path", "a.txt"], &[]);
        assert_eq!(names, ["a.txt"]);
        assert_eq!(ran.log[0], said);
    }
}

/// Proves RUN-ART-09.
///
/// Goal: every visit counts, so that files below directories that match too are counted more than once,
/// and excludes match paths themselves.
#[test]
fn counts_and_excludes() {
    let found = |path: &str, count: u32| {
        format!("{path}: found {count} matching artifact files and directories")
    };
    let project = tree();
    // d, .hidden, 1, e, e/2, e/f, e/f/3, l: 8; and below them 7 + 3 + 1 again, and themselves.
    let (names, ran) = taken(&project, &["--path", "d/**"], &[]);
    assert_eq!(
        (names.len(), ran.log[0].clone()),
        (8, found("d/**", 8 + 4 + 2 + 1 + 4))
    );
    for (args, names, lines) in [
        (
            &["--path", "d", "--exclude", "d/e/**/*"][..],
            &["d/", "d/.hidden", "d/1", "d/e/", "d/l"][..],
            vec![found("d", 5), "d/e/**/*: excluded 3 files".to_owned()],
        ),
        (
            &["--path", "d", "--exclude", "d/e/**"],
            &["d/", "d/.hidden", "d/1", "d/l"],
            vec![found("d", 4), "d/e/**: excluded 4 files".to_owned()],
        ),
        (
            &["--path", "d/e", "--exclude", "d/e/", "--exclude", "[x"],
            &["d/e/2", "d/e/f/", "d/e/f/3"],
            vec![found("d/e", 3), "d/e/: excluded 1 files".to_owned()],
        ),
        (
            &["--path", "a.txt", "--exclude", "../x", "--exclude", "a.txt"],
            &["a.txt"],
            vec![
                "WARNING: isExcluded: artifact path is not a subpath of project directory: ../x"
                    .to_owned(),
                found("a.txt", 1),
            ],
        ),
    ] {
        let (taken, ran) = taken(&project, args, &[]);
        assert_eq!(taken, names, "{args:?}");
        assert_eq!(ran.log[..ran.log.len() - 1], lines, "{args:?}");
    }
}

/// Goal: files that git does not know, ignored ones too (runner.md 12).
#[test]
fn untracked_files() {
    let project = Project::new().with(&["known", "new", "d/new2", "ignored.o"]);
    let (names, ran) = taken(&project, &["--untracked"], &[]);
    assert!(names.is_empty());
    assert_eq!(
        ran.log[ran.log.len() - 2..],
        [
            "WARNING: untracked: exit status 128",
            "ERROR: No files to upload"
        ]
    );
    let git = |args: &[&str]| {
        let status = Command::new("git")
            .args(args)
            .current_dir(project.root())
            .status();
        status.is_ok_and(|status| status.success())
    };
    if !git(&["init", "-q"]) {
        println!("skipped: git is missing");
        return;
    }
    std::fs::write(project.path(".gitignore"), "*.o\n").unwrap();
    assert!(git(&["add", "known", ".gitignore"]));
    let (names, ran) = taken(&project, &["--untracked", "--exclude", "new"], &[]);
    assert_eq!(names, ["d/new2", "ignored.o"]);
    assert_eq!(
        ran.log[..2],
        ["untracked: found 2 files", "new: excluded 1 files"]
    );
}

/// Goal: names and paths are expanded against the environment; a command is not run, and the text kept.
#[test]
fn variables() {
    let server = Server::always(201);
    let project = tree();
    let variables = [("WHAT", "a"), ("CI_JOB_NAME", "build job")];
    let args = [
        "--path",
        "$WHAT.txt",
        "--exclude",
        "${NONE:-x}",
        "--name",
        "$CI_JOB_NAME-$((1+1))",
    ];
    let ran = project
        .helper_with(&server, "artifacts-uploader", &args, &variables)
        .ended(0);
    assert_eq!(
        ran.messages()[0],
        "a.txt: found 1 matching artifact files and directories"
    );
    assert!(
        server.seen()[0]
            .part()
            .1
            .contains("filename=\"build job-2.zip\"")
    );

    let args = ["--path", "a.txt", "--name", "$(id)"];
    let ran = project
        .helper(&server, "artifacts-uploader", &args)
        .ended(0);
    assert_eq!(
        ran.log[0],
        "WARNING: invalid artifact name: unexpected command substitution at 1:1"
    );
    assert!(server.seen()[1].part().1.contains("filename=\"$(id).zip\""));
}
