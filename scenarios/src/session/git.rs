//! The repositories of a recording: recovered from the packs that went over the wire, and served by
//! git itself.
//!
//! Replaying git exchanges byte by byte would need the very same git on the client's side, because it
//! decides what to ask for. So the packs and the refs of the recording make a real bare repository,
//! and `git http-backend` answers whatever the client asks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::io::AsyncWriteExt as _;

use super::har::Exchange;

/// Why a repository cannot be recovered or served.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The file system says no, or git cannot be started.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        error: std::io::Error,
    },
    /// A git command failed.
    #[error("`git {command}` failed: {stderr}")]
    Git {
        /// The command.
        command: String,
        /// What git said.
        stderr: String,
    },
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> GitError {
    let what = what.into();
    move |error| GitError::Io { what, error }
}

/// Whether `path` belongs to git, not to the API.
pub fn is_git(path: &str) -> bool {
    path.ends_with("/info/refs") || path.ends_with("/git-upload-pack")
}

/// What a recording shows of one repository.
#[derive(Default)]
struct Shown {
    packs: Vec<Vec<u8>>,
    refs: BTreeMap<String, String>,
    head: Option<String>,
    shallow: BTreeSet<String>,
}

/// Makes a bare repository below `root` for each one that the exchanges show.
pub fn recover(exchanges: &[Exchange], root: &Path) -> Result<(), GitError> {
    let mut repositories: BTreeMap<&str, Shown> = BTreeMap::new();
    for exchange in exchanges {
        let Some(path) = exchange.path().strip_suffix("/git-upload-pack") else {
            continue;
        };
        if exchange.status != 200 {
            continue;
        }
        let shown = repositories
            .entry(path.trim_start_matches('/'))
            .or_default();
        read_answer(&exchange.answer, shown);
    }
    for (path, shown) in &repositories {
        build(&root.join(path), shown)?;
    }
    Ok(())
}

/// Reads an answer of protocol version 2: either refs or a pack.
fn read_answer(body: &[u8], shown: &mut Shown) {
    let mut pack = Vec::new();
    let mut in_pack = false;
    for packet in packets(body) {
        if in_pack {
            // Side band 1 is the pack, 2 is progress, 3 an error.
            if let Some((1, data)) = packet.split_first() {
                pack.extend_from_slice(data);
            }
            continue;
        }
        let line = String::from_utf8_lossy(packet);
        let line = line.trim_end();
        if line == "packfile" {
            in_pack = true;
        } else if let Some(id) = line.strip_prefix("shallow ") {
            shown.shallow.insert(id.to_owned());
        } else if let Some((id, rest)) = line.split_once(' ')
            && is_object_id(id)
        {
            let mut words = rest.split(' ');
            let name = words.next().unwrap_or_default();
            if name == "HEAD" {
                shown.head = words
                    .find_map(|word| word.strip_prefix("symref-target:"))
                    .map(str::to_owned);
            } else {
                shown.refs.insert(name.to_owned(), id.to_owned());
            }
        }
    }
    if pack.starts_with(b"PACK") {
        shown.packs.push(pack);
    }
}

fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The payloads of pkt-lines; flush, delimiter and end packets are left out.
fn packets(mut body: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while let Some((head, rest)) = body.split_at_checked(4) {
        let length = std::str::from_utf8(head)
            .ok()
            .and_then(|text| usize::from_str_radix(text, 16).ok());
        match length {
            Some(length @ 0..=3) => {
                let _ = length;
                body = rest;
            }
            Some(length) => {
                let Some((packet, tail)) = rest.split_at_checked(length - 4) else {
                    break;
                };
                packets.push(packet);
                body = tail;
            }
            None => break,
        }
    }
    packets
}

fn build(path: &Path, shown: &Shown) -> Result<(), GitError> {
    fs::create_dir_all(path).map_err(io(path.display().to_string()))?;
    let wide = shown.refs.values().any(|id| id.len() == 64);
    let format = if wide { "sha256" } else { "sha1" };
    git(
        path,
        &[
            "init",
            "--quiet",
            "--bare",
            "--object-format",
            format,
            "-b",
            "main",
        ],
        b"",
    )?;
    for pack in &shown.packs {
        git(path, &["index-pack", "--stdin", "--fix-thin"], pack)?;
    }
    write_refs(path, shown)?;
    write_shallow(path, shown)?;
    // GitLab lets a client ask for any commit that it can see.
    git(
        path,
        &["config", "uploadpack.allowAnySHA1InWant", "true"],
        b"",
    )?;
    git(path, &["config", "uploadpack.allowFilter", "true"], b"")?;
    Ok(())
}

/// Writes the refs whose objects were sent: git refuses to serve a repository with others.
fn write_refs(path: &Path, shown: &Shown) -> Result<(), GitError> {
    let wanted: String = shown.refs.values().fold(String::new(), |mut text, id| {
        text.push_str(id);
        text.push('\n');
        text
    });
    let found = git(path, &["cat-file", "--batch-check"], wanted.as_bytes())?;
    let mut packed = String::from("# pack-refs with: sorted \n");
    for ((name, id), line) in shown.refs.iter().zip(found.lines()) {
        if !line.ends_with(" missing") {
            let _ = writeln!(packed, "{id} {name}");
        }
    }
    let file = path.join("packed-refs");
    fs::write(&file, packed).map_err(io(file.display().to_string()))?;
    if let Some(head) = &shown.head {
        git(path, &["symbolic-ref", "HEAD", head], b"")?;
    }
    Ok(())
}

/// Marks commits whose parents never went over the wire.
fn write_shallow(path: &Path, shown: &Shown) -> Result<(), GitError> {
    let mut cut = String::new();
    for id in &shown.shallow {
        let parents = git(path, &["cat-file", "-p", id], b"").unwrap_or_default();
        let missing = parents
            .lines()
            .filter_map(|line| line.strip_prefix("parent "))
            .any(|parent| git(path, &["cat-file", "-e", parent], b"").is_err());
        if missing {
            let _ = writeln!(cut, "{id}");
        }
    }
    if cut.is_empty() {
        return Ok(());
    }
    let file = path.join("shallow");
    fs::write(&file, cut).map_err(io(file.display().to_string()))
}

/// Runs git in `folder`, feeds it `input`, and gives back its output.
fn git(folder: &Path, args: &[&str], input: &[u8]) -> Result<String, GitError> {
    let command = args.join(" ");
    let what = || format!("git {command}");
    let mut child = Command::new("git")
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(io(what()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A git that ends early says so itself, below.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(io(what()))?;
    if !output.status.success() {
        return Err(GitError::Git {
            command,
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// One request to `git http-backend`.
pub struct GitRequest<'a> {
    /// Folder of the repositories.
    pub root: &'a PathBuf,
    /// Method.
    pub method: &'a str,
    /// Path.
    pub path: &'a str,
    /// Query, without `?`.
    pub query: &'a str,
    /// Headers by lower-case name.
    pub header: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Body.
    pub body: &'a Bytes,
}

/// Lets git answer.
pub async fn serve(request: GitRequest<'_>) -> Result<Response<Bytes>, GitError> {
    let mut command = tokio::process::Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", request.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("PATH_INFO", request.path)
        .env("QUERY_STRING", request.query)
        .env("REQUEST_METHOD", request.method)
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        if let Some(value) = (request.header)(header) {
            command.env(variable, value);
        }
    }
    let mut child = command.spawn().map_err(io("git http-backend"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A backend that refuses the request closes its input; its answer says why.
        let _ = stdin.write_all(request.body).await;
    }
    let output = child
        .wait_with_output()
        .await
        .map_err(io("git http-backend"))?;
    Ok(cgi_answer(&output.stdout))
}

/// Turns CGI output into an answer.
fn cgi_answer(output: &[u8]) -> Response<Bytes> {
    let end = output
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(output.len());
    let body = output.get(end + 4..).unwrap_or_default();
    let mut answer = Response::new(Bytes::copy_from_slice(body));
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        if name == "Status" {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            *answer.status_mut() = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        } else if let (Ok(name), Ok(value)) = (
            name.parse::<http::HeaderName>(),
            value.parse::<http::HeaderValue>(),
        ) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_cut_by_their_length() {
        assert_eq!(
            packets(b"0006hi0000000a123456zz"),
            [b"hi".as_slice(), b"123456"]
        );
        assert!(packets(b"00ffshort").is_empty());
    }

    #[test]
    fn cgi_output_is_an_answer() {
        let answer = cgi_answer(b"Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nno");
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.headers()["content-type"], "text/plain");
        assert_eq!(answer.body().as_ref(), b"no");
    }
}
