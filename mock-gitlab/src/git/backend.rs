//! `git http-backend` behind a check of the caller's token.

use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::BytesMut;
use futures_util::StreamExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::process::{Child, ChildStdin, Command};
use tokio_util::io::ReaderStream;

use super::GitRoot;
use super::credentials::{Access, check};
use super::lfs;
use crate::http::{Limits, timed_out};
use crate::world::World;

/// The service that takes pushes.
const PUSH: &str = "git-receive-pack";
/// Longest head of an answer of `git http-backend`, bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Bytes of an answer that are kept back while the request still comes.
const MAX_EARLY: usize = 256 * 1024;

/// What the handler has.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    world: Arc<Mutex<World>>,
    root: GitRoot,
    limits: Limits,
}

impl Backend {
    pub(super) fn new(world: Arc<Mutex<World>>, root: GitRoot, limits: Limits) -> Backend {
        Backend {
            world,
            root,
            limits,
        }
    }
}

/// A request that smart HTTP knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target<'a> {
    /// Full path of the project.
    project: &'a str,
    /// Behind the repository: `info/refs`, `git-upload-pack`.
    service: &'a str,
}

/// Takes a path apart. No segment may leave the root.
fn target(path: &str) -> Option<Target<'_>> {
    let (project, service) = path.strip_prefix('/')?.split_once(".git/")?;
    let clean = !project.is_empty()
        && project.split('/').all(|segment| {
            !segment.is_empty() && segment != "." && segment != ".." && !segment.contains('\\')
        });
    let known = ["info/refs", "git-upload-pack", PUSH].contains(&service);
    (clean && (known || lfs::Call::of(service).is_some())).then_some(Target { project, service })
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

pub(super) async fn serve(State(backend): State<Backend>, request: Request<Body>) -> Response {
    let path = request.uri().path().to_owned();
    let Some(target) = target(&path) else {
        return plain(StatusCode::NOT_FOUND, "404 Not Found\n");
    };
    let write = match check(&backend.world, request.headers(), target.project) {
        Access::Read => false,
        Access::Write => true,
        Access::OtherProject => {
            return plain(
                StatusCode::NOT_FOUND,
                "The project you were looking for could not be found or you don't have permission to view it.\n",
            );
        }
        Access::Unknown => {
            let mut response = plain(StatusCode::UNAUTHORIZED, "HTTP Basic: Access denied\n");
            response.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"GitLab\""),
            );
            return response;
        }
    };
    if let Some(call) = lfs::Call::of(target.service) {
        let base = format!("{}/{}.git", external_url(&backend.world), target.project);
        let asked = lfs::Asked {
            repository: &backend.root.repository(target.project),
            base: &base,
            write,
            limit: backend.limits.git_push_bytes as u64,
        };
        return lfs::serve(call, asked, request).await;
    }
    let query = request.uri().query().unwrap_or_default();
    let push = target.service == PUSH || query.contains("service=git-receive-pack");
    if push && !write {
        return plain(
            StatusCode::FORBIDDEN,
            "You are not allowed to upload code.\n",
        );
    }
    let limit = if push {
        backend.limits.git_push_bytes
    } else {
        backend.limits.git_fetch_bytes
    };
    match run(&backend.root, target, request, limit).await {
        Ok(response) => response,
        Err(Problem::TooLong) => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The request is longer than this server allows.\n",
        ),
        Err(Problem::TooSlow) => plain(
            StatusCode::REQUEST_TIMEOUT,
            "The request did not come in time.\n",
        ),
        Err(Problem::BrokenOff) => plain(StatusCode::BAD_REQUEST, "The request broke off.\n"),
        Err(Problem::Io(error)) => {
            tracing::error!(%error, project = target.project, "git http-backend");
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "git http-backend could not answer; the server's log says why\n",
            )
        }
    }
}

fn external_url(world: &Mutex<World>) -> String {
    let world = world.lock().unwrap_or_else(PoisonError::into_inner);
    world.settings().external_url.clone()
}

/// Why there is no answer of git.
enum Problem {
    /// The request's body is longer than allowed.
    TooLong,
    /// Its next part did not come in time.
    TooSlow,
    /// It ended before its end.
    BrokenOff,
    /// git itself.
    Io(io::Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Problem {
        Problem::Io(error)
    }
}

/// Runs the CGI program and streams its answer. The request's body has at most `limit` bytes.
async fn run(
    root: &GitRoot,
    target: Target<'_>,
    request: Request<Body>,
    limit: usize,
) -> Result<Response, Problem> {
    // An announced length is refused before anything is started.
    if request.body().size_hint().lower() > limit as u64 {
        return Err(Problem::TooLong);
    }
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &root.0)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env(
            "PATH_INFO",
            format!("/{}.git/{}", target.project, target.service),
        )
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", head.method.as_str())
        .env("CONTENT_TYPE", header(CONTENT_TYPE.as_str()))
        .env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING.as_str()))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_USER", "gitlab-ci-token")
        .env("REMOTE_ADDR", "127.0.0.1")
        // What a fetch says is read to its end before git answers.
        .env("GIT_HTTP_MAX_REQUEST_BUFFER", limit.to_string())
        // The repository is the server's own, whoever runs it.
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    // Without a length the program reads to the end, which chunked bodies need.
    command.env_remove("CONTENT_LENGTH");
    let mut child = command.spawn()?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("git http-backend has no pipes").into());
    };
    // Of its own, because git may begin to answer before it has read all.
    let body = (head.method == Method::POST).then_some(body);
    let mut feeding = tokio::spawn(feed(stdin, body, limit));
    let mut fed = false;
    let mut early = BytesMut::new();
    let mut stdout = BufReader::new(stdout);
    // The program writes a head before it has read anything. What it says is kept back until the request is
    // here, so that a bad one is refused as such; unless it says so much that it would have to wait.
    while !fed && early.len() < MAX_EARLY {
        tokio::select! {
            biased;
            end = &mut feeding => {
                fed = true;
                if let Ok(Err(problem)) = end {
                    return Err(problem);
                }
            }
            read = stdout.read_buf(&mut early) => {
                if read? == 0 {
                    break;
                }
            }
        }
    }
    let early = std::io::Cursor::new(early.freeze());
    Ok(answer(child, BufReader::new(early.chain(stdout))).await?)
}

/// Passes the request's body on, as it comes.
async fn feed(mut stdin: ChildStdin, body: Option<Body>, limit: usize) -> Result<(), Problem> {
    let Some(body) = body else {
        return Ok(());
    };
    let mut body = Limited::new(body, limit);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Problem::TooLong
            } else if timed_out(&*error) {
                Problem::TooSlow
            } else {
                Problem::BrokenOff
            }
        })?;
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        // The program may have read enough; then it answers without the rest.
        if stdin.write_all(&chunk).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads the head of the CGI answer and leaves the rest to the client.
async fn answer(
    child: Child,
    mut reader: impl AsyncBufRead + Unpin + Send + 'static,
) -> io::Result<Response> {
    let mut response = Response::new(Body::empty());
    let mut line = String::new();
    let mut size = 0;
    loop {
        line.clear();
        size += reader.read_line(&mut line).await?;
        if line.is_empty() || size > MAX_HEAD {
            return Err(io::Error::other("git http-backend gave no head"));
        }
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        let Some((name, value)) = text.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("status") {
            let code = value.trim().split(' ').next().unwrap_or_default();
            *response.status_mut() = code
                .parse()
                .map_err(|_| io::Error::other(format!("git http-backend: status `{value}`")))?;
        } else if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name),
            HeaderValue::try_from(value.trim()),
        ) {
            response.headers_mut().append(name, value);
        }
    }
    // The child lives as long as its answer is read, and is reaped with it.
    let stream = ReaderStream::new(reader).map(move |chunk| {
        let _alive = &child;
        chunk
    });
    *response.body_mut() = Body::from_stream(stream);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leaves_the_root() {
        assert_eq!(
            target("/group/demo.git/info/refs"),
            Some(Target {
                project: "group/demo",
                service: "info/refs"
            })
        );
        for path in [
            "/../etc.git/info/refs",
            "/a/../../b.git/info/refs",
            "//b.git/info/refs",
            "/.git/info/refs",
            "/a/./b.git/info/refs",
            "/a.git/config",
            "/a.git/gitlab-lfs/objects/../../config",
            "/a.git/gitlab-lfs/objects/abc",
            "/a.git/info/lfs/locksmith",
            "/a.git/gitlab-lfs/objects/abc/3",
            "/a.git/gitlab-lfs/objects/0123456789012345678901234567890123456789012345678901234567890123/x",
            "/a.git/objects/info/packs",
            "/a.git/../b.git/info/refs",
            "/a",
        ] {
            assert_eq!(target(path), None, "{path}");
        }
    }
}
