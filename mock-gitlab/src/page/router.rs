//! Paths and headers of the page.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode};
use maud::Markup;
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::access::Access;
use super::{colours, job, overview, view};
use crate::http::Now;
use crate::world::World;

/// Nothing from elsewhere, nothing inline, no forms, not in a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// How long a question for changes is held.
const HELD: Duration = Duration::from_secs(25);

static STYLE: LazyLock<String> = LazyLock::new(|| {
    let mut css = colours::style_sheet();
    css.push_str(include_str!("assets/page.css"));
    css
});

/// What the page needs.
#[derive(Clone)]
pub struct Page {
    /// The world that is shown.
    pub world: Arc<Mutex<World>>,
    /// The time on the server.
    pub now: Now,
    /// Counts what may have changed the world.
    pub changes: watch::Receiver<u64>,
    /// When this is cancelled, questions that are held are answered.
    pub stop: CancellationToken,
    /// Who may look.
    pub access: Access,
}

/// Whether a path is the page's, so that a look at it is no event of the server.
pub fn owns(path: &str) -> bool {
    path == "/" || path.starts_with("/page/")
}

/// The page at `/` and below `/page/`. GitLab's own paths of jobs lead to it. `rest` answers the others.
pub fn router(page: Page, rest: Router) -> Router {
    let access = page.access.clone();
    Router::new()
        .route("/", get(first))
        .route("/page/jobs/{id}", get(one_job))
        .route("/page/jobs/{id}/raw", get(raw))
        .route("/page/changes", get(changes))
        .route("/page/style.css", get(style))
        .route("/page/script.js", get(script))
        .route_layer(axum::middleware::from_fn(move |request, next| {
            guard(access.clone(), request, next)
        }))
        .fallback(move |request| elsewhere(rest, request))
        .with_state(page)
}

/// Lets in who may look, and sets the headers that all answers have.
async fn guard(access: Access, request: Request, next: Next) -> Response {
    let mut response = match access.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(status) => {
            let mut response = text(
                status,
                if status == StatusCode::UNAUTHORIZED {
                    "The page wants the administrator's token as password, with any name.\n"
                } else {
                    "The page is shown to this machine only: ask for it as localhost or 127.0.0.1.\n"
                },
            );
            if status == StatusCode::UNAUTHORIZED {
                let realm = HeaderValue::from_static("Basic realm=\"mock-gitlab\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, realm);
            }
            response
        }
    };
    let headers: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `/group/demo/-/jobs/7`, which stands in payloads as the job's URL, leads to the page of the job.
async fn elsewhere(rest: Router, request: Request) -> Response {
    let job = request
        .uri()
        .path()
        .rsplit_once("/-/jobs/")
        .and_then(|(_, id)| id.parse::<i64>().ok());
    if let (Some(id), &Method::GET) = (job, request.method())
        && let Ok(place) = HeaderValue::try_from(format!("/page/jobs/{id}"))
    {
        let mut response = StatusCode::FOUND.into_response();
        response.headers_mut().insert(LOCATION, place);
        return response;
    }
    // A router does not fail.
    let Ok(response) = rest.oneshot(request).await;
    response
}

async fn first(State(page): State<Page>) -> Response {
    let view = page.look(view::overview);
    markup(&overview::render(&view))
}

async fn one_job(State(page): State<Page>, Path(id): Path<String>) -> Response {
    let view = id
        .parse()
        .ok()
        .and_then(|id| page.look(|world, now| view::job(world, now, id)));
    match view {
        Some(view) => markup(&job::render(&view)),
        None => text(StatusCode::NOT_FOUND, "There is no such job.\n"),
    }
}

async fn raw(State(page): State<Page>, Path(id): Path<String>) -> Response {
    let log = id
        .parse()
        .ok()
        .and_then(|id| page.look(|world, _| world.job(id).is_some().then(|| world.trace(id))));
    match log {
        Some(log) => typed(StatusCode::OK, "text/plain; charset=utf-8", log),
        None => text(StatusCode::NOT_FOUND, "There is no such job.\n"),
    }
}

#[derive(Deserialize)]
struct Seen {
    #[serde(default)]
    seen: u64,
}

/// The count of changes, as soon as it is another than the one that was seen.
async fn changes(State(page): State<Page>, Query(Seen { seen }): Query<Seen>) -> Response {
    let mut changes = page.changes.clone();
    tokio::select! {
        biased;
        () = page.stop.cancelled() => {}
        _ = changes.wait_for(|count| *count != seen) => {}
        () = tokio::time::sleep(HELD) => {}
    }
    let count = *changes.borrow();
    typed(StatusCode::OK, "text/plain", count.to_string().into_bytes())
}

async fn style() -> Response {
    typed(
        StatusCode::OK,
        "text/css; charset=utf-8",
        STYLE.as_bytes().to_vec(),
    )
}

async fn script() -> Response {
    let script = include_bytes!("assets/page.js").to_vec();
    typed(StatusCode::OK, "text/javascript; charset=utf-8", script)
}

impl Page {
    fn look<T>(&self, look: impl FnOnce(&mut World, jiff::Timestamp) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut world, (self.now)())
    }
}

fn markup(page: &Markup) -> Response {
    let bytes = page.0.clone().into_bytes();
    typed(StatusCode::OK, "text/html; charset=utf-8", bytes)
}

fn text(status: StatusCode, text: &'static str) -> Response {
    typed(
        status,
        "text/plain; charset=utf-8",
        text.as_bytes().to_vec(),
    )
}

fn typed(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::world::{NewProject, Settings};

    fn page(access: Access) -> Router {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut world = World::new(Settings::default(), 1);
        world.add_project(now, NewProject::default()).unwrap();
        let (_, changes) = watch::channel(3);
        let page = Page {
            world: Arc::new(Mutex::new(world)),
            now: Arc::new(move || now),
            changes,
            stop: CancellationToken::new(),
            access,
        };
        let rest = Router::new().fallback(|| async { StatusCode::IM_A_TEAPOT });
        router(page, rest)
    }

    async fn ask(router: &Router, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let Ok(response) = router.clone().oneshot(request).await;
        response
    }

    /// The page and what belongs to it carry the headers that keep others out; everything else is left to
    /// the rest of the server.
    #[tokio::test]
    async fn paths_and_headers() {
        let page = page(Access::ThisMachine);
        for (path, status, kind) in [
            ("/", 200, "text/html; charset=utf-8"),
            ("/page/style.css", 200, "text/css; charset=utf-8"),
            ("/page/script.js", 200, "text/javascript; charset=utf-8"),
            ("/page/changes?seen=2", 200, "text/plain"),
            ("/page/jobs/7", 404, "text/plain; charset=utf-8"),
            ("/page/jobs/x", 404, "text/plain; charset=utf-8"),
            ("/page/jobs/7/raw", 404, "text/plain; charset=utf-8"),
        ] {
            let answer = ask(&page, path, &[("host", "localhost:1")]).await;
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(answer.headers()[CONTENT_TYPE], kind, "{path}");
            assert_eq!(answer.headers()[CONTENT_SECURITY_POLICY], POLICY);
            assert_eq!(answer.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
        }
        let answer = ask(&page, "/page/changes?seen=2", &[]).await;
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"3");
        let answer = ask(&page, "/a/b/-/jobs/7", &[]).await;
        assert_eq!(answer.status(), 302);
        assert_eq!(answer.headers()[LOCATION], "/page/jobs/7");
        for path in ["/a/b.git/info/refs", "/page/other", "/a/-/jobs/x", "/pages"] {
            assert_eq!(ask(&page, path, &[]).await.status(), 418, "{path}");
        }
    }

    #[tokio::test]
    async fn others_are_kept_out() {
        let page = page(Access::ThisMachine);
        let answer = ask(&page, "/", &[("host", "evil.example")]).await;
        assert_eq!(answer.status(), 403);
        let page = self::page(Access::Token(Arc::from("secret")));
        let answer = ask(&page, "/page/script.js", &[]).await;
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key(WWW_AUTHENTICATE));
        // root:secret
        let good = [("authorization", "Basic cm9vdDpzZWNyZXQ=")];
        assert_eq!(ask(&page, "/", &good).await.status(), 200);
    }
}
