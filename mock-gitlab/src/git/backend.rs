//! `git http-backend` behind a check of the job token.

use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use futures_util::StreamExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::io::ReaderStream;

use super::GitRoot;
use super::credentials::{Access, check};
use super::lfs;
use crate::world::World;

/// Longest head of an answer of `git http-backend`, bytes.
const MAX_HEAD: usize = 16 * 1024;

/// What the handler has.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    world: Arc<Mutex<World>>,
    root: GitRoot,
}

impl Backend {
    pub(super) fn new(world: Arc<Mutex<World>>, root: GitRoot) -> Backend {
        Backend { world, root }
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
    let known = ["info/refs", "git-upload-pack", "git-receive-pack"].contains(&service)
        || service == lfs::BATCH
        || service
            .strip_prefix(lfs::OBJECTS)
            .is_some_and(lfs::is_object_id);
    (clean && known).then_some(Target { project, service })
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
    match check(&backend.world, request.headers(), target.project) {
        Access::Read => {}
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
    }
    if target.service == lfs::BATCH {
        let base = format!("{}/{}.git", external_url(&backend.world), target.project);
        let repository = backend.root.repository(target.project);
        return lfs::batch(&repository, &base, request).await;
    }
    if let Some(id) = target.service.strip_prefix(lfs::OBJECTS) {
        return lfs::download(&backend.root.repository(target.project), id).await;
    }
    let query = request.uri().query().unwrap_or_default();
    if target.service == "git-receive-pack" || query.contains("service=git-receive-pack") {
        return plain(
            StatusCode::FORBIDDEN,
            "You are not allowed to upload code.\n",
        );
    }
    match run(&backend.root, target, request).await {
        Ok(response) => response,
        Err(error) => {
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

/// Runs the CGI program and streams its answer.
async fn run(root: &GitRoot, target: Target<'_>, request: Request<Body>) -> io::Result<Response> {
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
        return Err(io::Error::other("git http-backend has no pipes"));
    };
    if head.method == Method::POST {
        tokio::spawn(feed(stdin, body));
    }
    answer(child, stdout).await
}

/// Passes the request's body on, as it comes.
async fn feed(mut stdin: ChildStdin, body: Body) {
    let mut chunks = body.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        // The program may have read enough; then it answers without the rest.
        if stdin.write_all(&chunk).await.is_err() {
            return;
        }
    }
}

/// Reads the head of the CGI answer and leaves the rest to the client.
async fn answer(child: Child, stdout: ChildStdout) -> io::Result<Response> {
    let mut reader = BufReader::new(stdout);
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
            "/a.git/info/lfs/locks",
            "/a.git/objects/info/packs",
            "/a.git/../b.git/info/refs",
            "/a",
        ] {
            assert_eq!(target(path), None, "{path}");
        }
    }
}
