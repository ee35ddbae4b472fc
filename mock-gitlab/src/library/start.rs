use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::builders::{ProjectBuilder, RunnerBuilder};
use super::error::MockError;
use super::handles::JobHandle;
use super::requests::{self, Ring};
use crate::clock::ServerClock;
use crate::fault::{FaultError, FaultId, FaultRule, Faults};
use crate::git::{self, GitRoot};
use crate::http::{Api, ArtifactStore, Limits, Now};
use crate::mock_api::{self, Beginning, MockApi};
use crate::page::{self, Access, Page};
use crate::server::ServeOptions;
use crate::world::{Settings, Text, UserId, World};

/// The user that every world has.
const ROOT: UserId = 1;
/// Requests that are kept unless told otherwise.
const REQUESTS_KEPT: usize = 1024;

/// What the server's parts share. A clone is the same server.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) now: Now,
    pub(super) git: GitRoot,
    pub(super) artifacts: ArtifactStore,
    pub(super) limits: Limits,
    pub(super) ring: Arc<Ring>,
    pub(super) clock: ServerClock,
    pub(super) faults: Faults,
    pub(super) beginning: Beginning,
    pub(super) admin_token: Text,
    pub(super) runtime: Handle,
    changes: watch::Sender<u64>,
}

impl Shared {
    /// Does something with the world.
    pub(super) fn act<T>(&self, act: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut world, (self.now)());
        drop(world);
        self.changed();
        result
    }

    /// Looks at the world.
    pub(super) fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells those who wait that something may have changed.
    pub(super) fn changed(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// How a server is started.
#[derive(Clone, Debug)]
pub struct MockGitlabBuilder {
    address: SocketAddr,
    settings: Settings,
    seed: u64,
    requests_kept: usize,
    admin_token: Option<String>,
    limits: Limits,
    serve: ServeOptions,
}

impl Default for MockGitlabBuilder {
    fn default() -> Self {
        MockGitlabBuilder {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            settings: Settings::default(),
            seed: 0,
            requests_kept: REQUESTS_KEPT,
            admin_token: None,
            limits: Limits::default(),
            serve: ServeOptions::default(),
        }
    }
}

impl MockGitlabBuilder {
    /// Listens there instead of on a free loopback port.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Settings of the instance; `external_url` is set to the server's own.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Seed of tokens: two servers with one seed and the same calls give the same tokens.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many requests [`MockGitlab::requests`] remembers; 0 = none.
    #[must_use]
    pub fn requests_kept(mut self, count: usize) -> Self {
        self.requests_kept = count;
        self
    }

    /// Personal access token of the administrator `root`; made up when not given.
    #[must_use]
    pub fn admin_token(mut self, token: &str) -> Self {
        self.admin_token = Some(token.to_owned());
        self
    }

    /// Longest bodies of requests.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long slow clients are waited for: for the head of a request (the connection ends then), and
    /// for the next part of a body (408 then). 30 s each unless told otherwise.
    #[must_use]
    pub fn timeouts(mut self, head: Duration, body: Duration) -> Self {
        self.serve.head_timeout = head;
        self.serve.body_timeout = body;
        self
    }

    /// Starts the server; it answers when this returns.
    pub fn start(self) -> Result<MockGitlab, MockError> {
        let chosen = self
            .admin_token
            .as_ref()
            .is_some_and(|token| !token.is_empty());
        if !self.address.ip().is_loopback() && !chosen {
            return Err(MockError::Exposed {
                address: self.address,
            });
        }
        let listener = std::net::TcpListener::bind(self.address).map_err(|source| {
            if source.kind() == std::io::ErrorKind::AddrInUse {
                MockError::InUse {
                    address: self.address,
                }
            } else {
                MockError::Listen {
                    address: self.address,
                    source,
                }
            }
        })?;
        listener.set_nonblocking(true).map_err(MockError::Start)?;
        let address = listener.local_addr().map_err(MockError::Start)?;
        let url = format!("http://{address}");
        let folder = tempfile::Builder::new()
            .prefix("mock-gitlab-")
            .tempdir()
            .map_err(MockError::Start)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("mock-gitlab")
            .enable_all()
            .build()
            .map_err(MockError::Start)?;
        let settings = Settings {
            external_url: url.clone(),
            ..self.settings
        };
        let mut world = World::new(settings, self.seed);
        // Strangers can time this server; nothing that can be seen depends on it.
        world.set_token_hash_key(rand::random());
        let given = self
            .admin_token
            .as_deref()
            .filter(|token| !token.is_empty());
        let admin_token = world.add_personal_access_token(ROOT, given)?;
        let beginning = Beginning::new(world.snapshot());
        let world = Arc::new(Mutex::new(world));
        let clock = ServerClock::default();
        let time = clock.clone();
        let now: Now = Arc::new(move || time.now());
        let shared = Shared {
            faults: Faults::new(Arc::clone(&world), Arc::clone(&now), self.seed),
            world,
            now,
            clock,
            beginning,
            admin_token: admin_token.clone(),
            git: GitRoot(folder.path().join("git")),
            artifacts: ArtifactStore::folder(folder.path().join("artifacts")),
            limits: self.limits,
            ring: Arc::new(Ring::new(self.requests_kept)),
            runtime: runtime.handle().clone(),
            changes: watch::Sender::new(0),
        };
        let stop = CancellationToken::new();
        let access = if address.ip().is_loopback() {
            Access::ThisMachine
        } else {
            Access::Token(Arc::from(&*admin_token))
        };
        let router = router(&shared, &stop, access);
        let (stopped, deadlines) = (stop.clone(), shared.clone());
        let options = ServeOptions {
            faults: Some(shared.faults.clone()),
            ..self.serve
        };
        let thread = std::thread::Builder::new()
            .name("mock-gitlab".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let listener = match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => listener,
                        Err(error) => {
                            tracing::error!(%error, "the listener cannot be used");
                            return;
                        }
                    };
                    let ticking = tokio::spawn(tick(deadlines, stopped.clone()));
                    crate::server::serve_with(listener, router, stopped, options).await;
                    let _ = ticking.await;
                });
            })
            .map_err(MockError::Start)?;
        Ok(MockGitlab {
            url,
            admin_token,
            shared,
            stop,
            thread: Some(thread),
            _folder: folder,
        })
    }
}

/// The runner API, the page and git, behind the ring of requests.
fn router(shared: &Shared, stop: &CancellationToken, access: Access) -> Router {
    let api = Api::new(Arc::clone(&shared.world), Arc::clone(&shared.now))
        .clock(shared.clock.clone())
        .limits(shared.limits)
        .artifacts(shared.artifacts.clone())
        .git(shared.git.clone())
        .stop(stop.clone())
        .router();
    let git = git::router(Arc::clone(&shared.world), shared.git.clone(), shared.limits);
    let page = Page {
        world: Arc::clone(&shared.world),
        now: Arc::clone(&shared.now),
        changes: shared.changes(),
        stop: stop.clone(),
        access,
    };
    let levers = MockApi {
        world: Arc::clone(&shared.world),
        clock: shared.clock.clone(),
        faults: shared.faults.clone(),
        changes: shared.changes.clone(),
        artifacts: shared.artifacts.clone(),
        git: shared.git.clone(),
        alone: Arc::default(),
        beginning: shared.beginning.clone(),
        admin: ROOT,
        admin_token: shared.admin_token.clone(),
        stop: stop.clone(),
    };
    // Everything outside of the APIs is the page or a repository, or is not there.
    api.nest_service(mock_api::ROOT, levers.router())
        .fallback_service(page::router(page, git))
        .layer(axum::middleware::from_fn_with_state(
            shared.clone(),
            requests::write_down,
        ))
}

/// Lets the world do what is due: delayed jobs, expiries, sweeps.
async fn tick(shared: Shared, stop: CancellationToken) {
    let mut changes = shared.changes();
    loop {
        let wait = shared.look(World::next_deadline).map(|deadline| {
            let left = deadline.duration_since((shared.now)());
            std::time::Duration::try_from(left).unwrap_or_default()
        });
        let due = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = changes.changed() => {}
            () = due => shared.act(World::tick),
        }
    }
}

/// A running server. Dropping it stops it.
#[must_use = "the server stops when this is dropped"]
pub struct MockGitlab {
    url: String,
    admin_token: Text,
    pub(super) shared: Shared,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl std::fmt::Debug for MockGitlab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MockGitlab")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl MockGitlab {
    /// Starts a server on a free loopback port.
    pub fn start() -> Result<MockGitlab, MockError> {
        MockGitlab::builder().start()
    }

    /// A server with settings of its own.
    pub fn builder() -> MockGitlabBuilder {
        MockGitlabBuilder::default()
    }

    /// Address for `url` of a runner's configuration.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Personal access token of the administrator `root`, for GitLab's REST API.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// Registration token of the instance.
    pub fn registration_token(&self) -> String {
        self.shared
            .look(|world| world.instance_registration_token().to_owned())
    }

    /// Where repositories stand.
    pub fn git_root(&self) -> &GitRoot {
        &self.shared.git
    }

    /// A new project, with the groups of its path.
    pub fn project(&self, full_path: &str) -> ProjectBuilder {
        ProjectBuilder::new(self.shared.clone(), full_path)
    }

    /// A new runner, for all projects unless told otherwise.
    pub fn runner(&self) -> RunnerBuilder {
        RunnerBuilder::new(self.shared.clone())
    }

    /// The job with this id.
    pub fn job(&self, id: i64) -> Option<JobHandle> {
        let shared = self.shared.clone();
        let known = shared.look(|world| world.job(id).is_some());
        known.then_some(JobHandle { shared, id })
    }

    /// Lets something go wrong from now on; [`FaultRule`] says what can.
    ///
    /// ```
    /// # use mock_gitlab::MockGitlab;
    /// # use mock_gitlab::fault::{Endpoint, FaultRule, Reset};
    /// # let gitlab = MockGitlab::start().unwrap();
    /// // The next three polls are answered 429, and the second patch of any log breaks off.
    /// gitlab.fault(FaultRule::storm(Endpoint::Poll, 3, 10)).unwrap();
    /// gitlab
    ///     .fault(FaultRule {
    ///         nth: Some(2),
    ///         reset: Some(Reset::InBody),
    ///         ..FaultRule::on(Endpoint::Patch)
    ///     })
    ///     .unwrap();
    /// ```
    pub fn fault(&self, rule: FaultRule) -> Result<FaultId, FaultError> {
        self.shared.faults.add(rule)
    }

    /// All faults: to list them, and to take them back.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The server restarts: every connection is reset, and so is each new one for `down`. What was
    /// stored stays.
    pub fn restart(&self, down: Duration) {
        self.shared.faults.restart(down);
    }

    /// From now on, a reset (`POST /api/mock/v1/reset`) brings the world of now back, and not the empty one
    /// that the server started with.
    pub fn keep_as_beginning(&self) {
        self.shared.beginning.set(self.shared.look(World::snapshot));
    }

    /// Puts the server's clock forward: what falls due on the way happens. False, and nothing happens,
    /// when it would be more than a hundred years ahead.
    pub fn advance(&self, time: Duration) -> bool {
        let advanced = self.shared.clock.advance(time);
        self.shared.act(World::tick);
        advanced
    }

    /// Changes settings of the instance, from the next call on.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        self.act(|world, _| world.change_settings(change));
    }

    /// Does anything that the world can do.
    pub fn act<T>(&self, act: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        self.shared.act(act)
    }

    /// Waits until `condition` holds, at most 30 s. `what` is for the error.
    pub async fn wait_until(
        &self,
        what: &str,
        condition: impl Fn(&World) -> bool + Send + Sync + 'static,
    ) -> Result<(), super::WaitError> {
        super::wait::until(&self.shared, what, condition).await
    }
}

impl Drop for MockGitlab {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic of the server was reported when it happened.
            let _ = thread.join();
        }
    }
}
