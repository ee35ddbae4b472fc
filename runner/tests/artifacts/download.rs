//! `artifacts-downloader`: requests (wire.md 6.3), and what is unpacked (RUN-ART-05, RUN-ART-07).

use std::fs::{FileTimes, Permissions};
use std::io::{Cursor, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::{Project, Server, TOKEN, answer, zip_of};

const COMMAND: &str = "artifacts-downloader";
const DIRECT: (&str, &str) = ("FF_USE_DIRECT_DOWNLOAD", "true");
const ONCE: &[&str] = &["--retry", "0"];

fn gives(zip: &Bytes) -> Server {
    let zip = zip.clone();
    Server::start(move |_, _| answer(200, &[], zip.clone()))
}

/// Proves WIRE-ART-04, RUN-ART-06.
///
/// Goal: the requests of the recordings `redir-download` and `dependency-missing`: a probe; a second
/// request that follows the redirect, under an id of its own; later tries without the parameter.
#[test]
fn probe_then_redirect_then_plain_tries() {
    let zip = zip_of(&[("out/a.txt", b"a\n")]);
    for status in [302, 307] {
        let zip = zip.clone();
        let server = Server::start(move |seen, _| match seen.target.as_str() {
            "/storage/1?sig=abc" => answer(200, &[], zip.clone()),
            _ => answer(status, &[("location", "/storage/1?sig=abc")], "moved"),
        });
        let project = Project::new();
        let ran = project
            .helper_with(&server, COMMAND, &[], &[DIRECT])
            .ended(0);
        assert_eq!(std::fs::read(project.path("out/a.txt")).unwrap(), b"a\n");
        let seen = server.seen();
        let targets: Vec<_> = seen.iter().map(|seen| seen.target.as_str()).collect();
        let asked = "/api/v4/jobs/1001/artifacts?direct_download=true";
        assert_eq!(targets, [asked, asked, "/storage/1?sig=abc"]);
        assert_eq!(seen[0].header("user-agent"), "");
        assert!(seen[1].header("user-agent").starts_with("gitlab-runner "));
        assert!(
            seen.iter()
                .all(|seen| seen.method == "GET" && seen.header("job-token") == TOKEN)
        );
        assert_ne!(
            seen[0].header("x-request-id"),
            seen[1].header("x-request-id")
        );
        assert_eq!(
            seen[1].header("x-request-id"),
            seen[2].header("x-request-id")
        );
        let fields = format!(
            "correlation_id={} id=1001 status={status} token=64_Job010",
            seen[0].header("x-request-id")
        );
        assert_eq!(
            ran.log,
            [
                format!("Direct download from 127.0.0.1  {fields}"),
                format!("Downloading artifacts from coordinator... ok  {fields}"),
            ]
        );
    }
    for status in [301, 303, 308, 500] {
        let zip = zip.clone();
        let server = Server::start(move |seen, number| match (number, seen.target.as_str()) {
            (2, _) => answer(200, &[], zip.clone()),
            _ => answer(status, &[("location", "/storage/1")], "moved"),
        });
        let project = Project::new();
        let args = ["--retry-time", "1ms"];
        let ran = project
            .helper_with(&server, COMMAND, &args, &[DIRECT])
            .ended(0);
        let seen = server.seen();
        assert_eq!(
            seen[0].target,
            "/api/v4/jobs/1001/artifacts?direct_download=true"
        );
        assert_eq!(seen[1].target, "/api/v4/jobs/1001/artifacts?", "{status}");
        assert_eq!(
            ran.messages()[0],
            "WARNING: Downloading artifacts from coordinator... failed"
        );
        assert_eq!(ran.log[1], "WARNING: Retrying...  error=invalid argument");
        let last = ran.log.last().unwrap();
        assert!(
            last.starts_with("Downloading artifacts from coordinator... ok  correlation_id="),
            "{last}"
        );
        assert!(
            last.ends_with(" host=127.0.0.1 id=1001 status=200 token=64_Job010"),
            "{last}"
        );
    }
    // With the flag off there is no probe.
    let server = gives(&zip);
    Project::new()
        .helper_with(
            &server,
            COMMAND,
            &[],
            &[("FF_USE_DIRECT_DOWNLOAD", "false")],
        )
        .ended(0);
    assert_eq!(server.seen()[0].target, "/api/v4/jobs/1001/artifacts?");
}

/// Proves WIRE-ART-05.
///
/// Goal: these are final, and have their words; all else is tried three times.
#[test]
fn final_answers() {
    let xml =
        r"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Not you</Message></Error>";
    for (status, body, requests, said, fatal) in [
        (
            401,
            "",
            1,
            "ERROR: Downloading artifacts from coordinator... unauthorized",
            "FATAL: permission denied",
        ),
        (
            403,
            xml,
            1,
            "ERROR: Downloading artifacts from coordinator... forbidden",
            "FATAL: permission denied",
        ),
        (
            404,
            "",
            1,
            "ERROR: Downloading artifacts from coordinator... not found",
            "FATAL: file does not exist",
        ),
        (
            410,
            "",
            3,
            "WARNING: Downloading artifacts from coordinator... failed",
            "FATAL: invalid argument",
        ),
    ] {
        for direct in ["true", "false"] {
            let server = Server::start(move |_, _| {
                answer(status, &[("content-type", "application/xml")], body)
            });
            let project = Project::new();
            let variables = [("FF_USE_DIRECT_DOWNLOAD", direct)];
            let ran = project
                .helper_with(&server, COMMAND, &["--retry-time", "1ms"], &variables)
                .ended(1);
            assert_eq!(server.seen().len(), requests, "{status}");
            assert_eq!(ran.messages()[0], said);
            assert_eq!(ran.log.last().unwrap(), fatal);
            if status == 403 {
                assert!(
                    ran.log[0].contains(" status=403 Forbidden (AccessDenied: Not you) "),
                    "{}",
                    ran.log[0]
                );
            }
        }
    }
}

/// Proves WIRE-ART-13.
///
/// Goal: the requests of the recording `parallel-download`: ranges of 16 MiB, which carry neither token
/// nor id, and no second request to the coordinator. A small file is got the usual way.
#[test]
fn ranges() {
    let mut big = vec![7_u8; 35 << 20];
    big[20 << 20] = 8;
    for content in [big, vec![9; 100]] {
        let zip = zip_of(&[("big", &content)]);
        let size = zip.len();
        let copy = zip.clone();
        let server = Server::start(move |seen, _| {
            if seen.target != "/storage/1?sig=abc" {
                return answer(302, &[("location", "/storage/1?sig=abc")], "");
            }
            let Some(range) = seen.header("range").strip_prefix("bytes=") else {
                return answer(200, &[], copy.clone());
            };
            let (first, last) = range.split_once('-').unwrap();
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            let name = format!("bytes {first}-{last}/{}", copy.len());
            answer(206, &[("content-range", &name)], copy.slice(first..=last))
        });
        let project = Project::new();
        let variables = [DIRECT, ("FF_USE_PARALLEL_ARTIFACT_TRANSFER", "true")];
        let ran = project
            .helper_with(&server, COMMAND, ONCE, &variables)
            .ended(0);
        assert!(
            std::fs::read(project.path("big")).unwrap() == content,
            "the file is another"
        );
        let seen = server.seen();
        let ranged: Vec<_> = seen
            .iter()
            .filter(|seen| !seen.header("range").is_empty())
            .collect();
        for request in &ranged {
            for name in ["job-token", "x-request-id", "accept-encoding"] {
                assert_eq!(request.header(name), "", "{name}");
            }
        }
        let mut asked: Vec<_> = ranged
            .iter()
            .map(|seen| seen.header("range").to_owned())
            .collect();
        asked[1..].sort();
        let coordinator = seen
            .iter()
            .filter(|seen| seen.target.starts_with("/api/"))
            .count();
        if content.len() > 16 << 20 {
            let expected = [
                "bytes=0-0".to_owned(),
                "bytes=0-16777215".to_owned(),
                "bytes=16777216-33554431".to_owned(),
                format!("bytes=33554432-{}", size - 1),
            ];
            assert_eq!(asked, expected);
            assert_eq!(coordinator, 1);
            let line = &ran.log[1];
            assert!(
                line.starts_with("Artifact download: parallel, 16 streams, 16 MiB chunk size  "),
                "{line}"
            );
            assert!(
                line.ends_with(&format!("url={}/storage/1", server.url())),
                "{line}"
            );
        } else {
            assert_eq!(asked, ["bytes=0-0"]);
            assert_eq!(coordinator, 2);
        }
    }
}

/// Proves RUN-ART-05.
///
/// Goal: what one job uploads, another gets with types, modes, targets of links and times. That it is
/// packed as the official runner packs it is seen in the recordings' bodies, which its replays compare.
#[test]
fn a_round_trip() {
    let from = Project::new().with(&["d/private", "d/run.sh", "d/e/deep", "d/empty/", "d/żółw"]);
    symlink("run.sh", from.path("d/link")).unwrap();
    symlink("/nowhere", from.path("d/dangling")).unwrap();
    std::fs::write(from.path("d/zeros"), vec![0; 100_000]).unwrap();
    std::fs::write(from.path("d/none"), "").unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_891);
    for (name, mode) in [
        ("d/private", 0o600),
        ("d/run.sh", 0o755),
        ("d/empty", 0o700),
        ("d/e", 0o550),
    ] {
        let file = std::fs::File::open(from.path(name)).unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
        std::fs::set_permissions(from.path(name), Permissions::from_mode(mode)).unwrap();
    }
    for level in ["fastest", "default", "slowest"] {
        let server = Server::always(201);
        let args = ["--path", "d", "--compression-level", level];
        from.helper(&server, "artifacts-uploader", &args).ended(0);
        let server = gives(&server.seen()[0].part().2);
        let to = Project::new().with(&["d/run.sh", "d/link/"]);
        to.helper(&server, COMMAND, ONCE).ended(0);
        for name in [
            "d",
            "d/private",
            "d/run.sh",
            "d/e",
            "d/e/deep",
            "d/empty",
            "d/żółw",
            "d/link",
            "d/dangling",
            "d/zeros",
            "d/none",
        ] {
            let [one, other] = [&from, &to].map(|at| at.path(name).symlink_metadata().unwrap());
            assert_eq!(one.mode(), other.mode(), "{name}");
            assert_eq!(one.mtime(), other.mtime(), "{name}");
            if one.is_file() {
                let [one, other] = [&from, &to].map(|at| std::fs::read(at.path(name)).unwrap());
                assert!(one == other, "{name}");
            }
            if one.is_symlink() {
                let [one, other] = [&from, &to].map(|at| at.path(name).read_link().unwrap());
                assert_eq!(one, other);
            }
        }
        // So that the folder can be deleted.
        std::fs::set_permissions(to.path("d/e"), Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::set_permissions(from.path("d/e"), Permissions::from_mode(0o755)).unwrap();
}

/// Proves RUN-ART-07.
///
/// Goal: names with `..`, absolute names, links within the archive and links that are there already: no
/// way leads out.
#[test]
fn nothing_leaves_the_project() {
    let linked = {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        writer.add_symlink("out", "..", options).unwrap();
        writer.start_file("out/x", options).unwrap();
        writer.write_all(b"x").unwrap();
        Bytes::from(writer.finish().unwrap().into_inner())
    };
    let two_links = {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        writer.add_symlink("out", "..", options).unwrap();
        writer.add_symlink("out/x", "y", options).unwrap();
        Bytes::from(writer.finish().unwrap().into_inner())
    };
    for (zip, refused) in [
        (zip_of(&[("../x", b"x")]), true),
        (zip_of(&[("d/../../x", b"x")]), true),
        (zip_of(&[("../projectx/x", b"x")]), true),
        (zip_of(&[("there/x", b"x")]), true),
        (zip_of(&[("there/../../x", b"x")]), true),
        (two_links, true),
        // The link comes last, when a directory of that name is there already.
        (linked, false),
        (zip_of(&[("/x", b"x")]), false),
        (zip_of(&[("d/../x", b"x")]), false),
        (zip_of(&[("inside/x", b"x")]), false),
    ] {
        let project = Project::new().with(&["d/", "target/"]);
        symlink("..", project.path("there")).unwrap();
        symlink("target", project.path("inside")).unwrap();
        let server = gives(&zip);
        let ran = project.helper(&server, COMMAND, ONCE);
        let root = project.root();
        let outside = root.parent().unwrap();
        let names: Vec<_> = std::fs::read_dir(outside)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["project"], "{ran:#?}");
        if refused {
            let last = ran.log.last().unwrap();
            assert!(
                last.ends_with(&format!(
                    "cannot be extracted outside of chroot ({})",
                    root.display()
                )),
                "{last}"
            );
            assert_eq!(ran.code, Some(1));
        }
    }
}

/// Goal: what is no archive, and what stands in the way (runner.md 12).
#[test]
fn what_cannot_be_unpacked() {
    let full = zip_of(&[("d", b"x")]);
    for (body, fatal) in [
        (
            Bytes::from_static(b"hello"),
            "FATAL: zip: not a valid zip file".to_owned(),
        ),
        (Bytes::new(), "FATAL: zip: not a valid zip file".to_owned()),
        (
            Bytes::from_static(&[0x1f, 0x8b, 8, 0]),
            "FATAL: \"gzip\" format: unsupported archive format".to_owned(),
        ),
        (full, "FATAL: remove ROOT/d: directory not empty".to_owned()),
    ] {
        let project = Project::new().with(&["d/1"]);
        let ran = project.helper(&gives(&body), COMMAND, ONCE).ended(1);
        let fatal = fatal.replace("ROOT", &project.root().display().to_string());
        assert_eq!(ran.log.last(), Some(&fatal));
    }
}
