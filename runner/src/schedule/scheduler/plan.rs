use std::time::Duration;

/// `check_interval` when the configured one is not above 0 (RUN-CFG-06).
const DEFAULT_CHECK_INTERVAL: Duration = Duration::from_secs(3);

/// A `[[runners]]` entry as scheduling sees it. `data` is what the caller wants back with a decision.
#[derive(Clone, Debug)]
pub struct Entry<D> {
    /// `url`; with the short token it is the key of health.
    pub url: String,
    /// `token`, the key of slots. Blank: the entry is not fed (RUN-CFG-17).
    pub token: String,
    /// `limit`: jobs at a time, 0 = no limit.
    pub limit: u32,
    /// `request_concurrency`; below 1 it is 1.
    pub request_concurrency: u32,
    /// `FF_USE_ADAPTIVE_REQUEST_CONCURRENCY`, from the configuration only.
    pub adaptive: bool,
    /// `strict_check_interval`: no poll at once after a job came (RUN-SCH-06).
    pub strict_check_interval: bool,
    /// `unhealthy_requests_limit`, 3 by default.
    pub unhealthy_requests_limit: u32,
    /// `unhealthy_interval`, 1 h by default.
    pub unhealthy_interval: Duration,
    /// Whether `executor` names one that this runner has.
    pub executor_known: bool,
    /// What the caller wants back.
    pub data: D,
}

impl<D> Entry<D> {
    /// An entry with the defaults of runner.md 3.3.
    pub fn new(url: impl Into<String>, token: impl Into<String>, data: D) -> Self {
        Entry {
            url: url.into(),
            token: token.into(),
            limit: 0,
            request_concurrency: 1,
            adaptive: true,
            strict_check_interval: false,
            unhealthy_requests_limit: 3,
            unhealthy_interval: Duration::from_hours(1),
            executor_known: true,
            data,
        }
    }

    /// Key of health: URL and short token, also as shown in its log lines.
    pub fn health_key(&self) -> String {
        format!("{}{}", self.url, protocol::token::short(&self.token))
    }

    /// `request_concurrency` as it counts.
    pub fn request_slots(&self) -> u32 {
        self.request_concurrency.max(1)
    }
}

/// The configuration as scheduling sees it.
#[derive(Clone, Debug)]
pub struct Plan<D> {
    /// `concurrent`: how many workers there are.
    pub concurrent: usize,
    /// `check_interval`, or `None` for the default.
    pub check_interval: Option<Duration>,
    /// The entries, in file order.
    pub entries: Vec<Entry<D>>,
}

impl<D> Plan<D> {
    /// The period of the feeder: every entry is fed once in it.
    pub fn interval(&self) -> Duration {
        self.check_interval
            .filter(|interval| !interval.is_zero())
            .unwrap_or(DEFAULT_CHECK_INTERVAL)
    }
}
