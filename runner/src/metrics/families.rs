//! The metrics by name, help text and labels, as the official runner has them (runner.md 13).

use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry,
};

/// Labels of an entry on this machine.
pub(super) const ENTRY: [&str; 3] = ["runner", "runner_name", "system_id"];
/// Labels of an entry's requests.
pub(super) const MANAGER: [&str; 2] = ["runner", "system_id"];

const JOB_DURATION_S: [f64; 10] = [
    30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 10_800.0, 18_000.0, 36_000.0,
];
const QUEUE_DURATION_S: [f64; 10] = [
    1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0,
];
const REQUEST_DURATION_S: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Not recorded; guessed.
const STAGE_DURATION_S: [f64; 10] = [
    1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
];

/// Adds metrics to a registry. Names and labels are constants of this file: they are valid and unique.
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn add<M: prometheus::core::Collector + Clone + 'static>(
        &self,
        metric: prometheus::Result<M>,
    ) -> M {
        let metric = metric.expect("a valid name");
        let added = self.0.register(Box::new(metric.clone()));
        added.expect("a name that is used once");
        metric
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.add(HistogramVec::new(opts, labels))
    }
}

/// Every metric of the manager.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) acceptable_queuing_exceeded: IntCounterVec,
    pub(super) request_duration: HistogramVec,
    pub(super) request_attempts: IntCounterVec,
    pub(super) request_statuses: IntCounterVec,
    pub(super) concurrent: IntGauge,
    pub(super) config_loaded: IntCounter,
    pub(super) config_loading_error: IntCounter,
    pub(super) config_saved: IntCounter,
    pub(super) config_saving_error: IntCounter,
    pub(super) errors: IntCounterVec,
    pub(super) failed_jobs: IntCounterVec,
    pub(super) inputs: IntCounter,
    pub(super) input_failures: IntCounterVec,
    pub(super) job_duration: HistogramVec,
    pub(super) job_mode: IntCounterVec,
    pub(super) job_stage_duration: HistogramVec,
    pub(super) queue_depth: IntGaugeVec,
    pub(super) queue_duration: HistogramVec,
    pub(super) queue_size: IntGaugeVec,
    pub(super) jobs: IntGaugeVec,
    pub(super) jobs_total: IntCounterVec,
    pub(super) limit: IntGaugeVec,
    pub(super) process_state: IntGaugeVec,
    pub(super) requests: IntGaugeVec,
    pub(super) requests_adaptive_limit: GaugeVec,
    pub(super) requests_exceeded: IntCounterVec,
    pub(super) requests_hard_limit: IntGaugeVec,
    pub(super) requests_used_limit: IntGaugeVec,
    pub(super) version: IntGaugeVec,
    pub(super) feed_failures: IntCounterVec,
    pub(super) feeds: IntCounterVec,
    pub(super) health_check_failures: IntCounterVec,
    pub(super) processing_failures: IntCounterVec,
    pub(super) slot_operations: IntCounterVec,
    pub(super) slots: IntGauge,
    pub(super) process: ProcessFamilies,
}

/// What the process uses.
#[derive(Debug)]
pub(super) struct ProcessFamilies {
    pub(super) cpu: Counter,
    pub(super) max_fds: Gauge,
    pub(super) received: Counter,
    pub(super) sent: Counter,
    pub(super) open_fds: Gauge,
    pub(super) resident: Gauge,
    pub(super) start: Gauge,
    pub(super) virtual_memory: Gauge,
    pub(super) virtual_memory_max: Gauge,
}

impl Families {
    pub(super) fn new(registry: &Registry) -> Self {
        let make = Maker(registry);
        let with = |labels: &[&'static str], more: &[&'static str]| [labels, more].concat();
        absent(&make);
        Families {
            acceptable_queuing_exceeded: make.counters(
                "gitlab_runner_acceptable_job_queuing_duration_exceeded_total",
                "Counts how often jobs exceed the configured queuing time threshold",
                &ENTRY,
            ),
            request_duration: make.histograms(
                "gitlab_runner_api_request_duration_seconds",
                "Latency histogram of API requests made by GitLab Runner, partitioned by runner, system_id, endpoint, status_class and method.",
                &with(&MANAGER, &["endpoint", "status_class", "method"]),
                &REQUEST_DURATION_S,
            ),
            request_attempts: make.counters(
                "gitlab_runner_api_request_retries_total",
                "The total number of retries made by GitLab Runner in process of completing a request, partitioned by path and method.",
                &["path", "method"],
            ),
            request_statuses: make.counters(
                "gitlab_runner_api_request_statuses_total",
                "The total number of API requests made by GitLab Runner, partitioned by runner, system_id, endpoint, status and method.",
                &with(&MANAGER, &["endpoint", "status", "method"]),
            ),
            concurrent: make.gauge(
                "gitlab_runner_concurrent",
                "The current value of concurrent setting",
            ),
            config_loaded: make.counter(
                "gitlab_runner_configuration_loaded_total",
                "Total number of times the configuration file was loaded by Runner process",
            ),
            config_loading_error: make.counter(
                "gitlab_runner_configuration_loading_error_total",
                "Total number of times the configuration file was not loaded by Runner process due to errors",
            ),
            config_saved: make.counter(
                "gitlab_runner_configuration_saved_total",
                "Total number of times the configuration file was saved by Runner process",
            ),
            config_saving_error: make.counter(
                "gitlab_runner_configuration_saving_error_total",
                "Total number of times the configuration file was not saved by Runner process due to errors",
            ),
            errors: make.counters(
                "gitlab_runner_errors_total",
                "The number of caught errors.",
                &["level"],
            ),
            failed_jobs: make.counters(
                "gitlab_runner_failed_jobs_total",
                "Total number of failed jobs",
                &["runner", "runner_name", "failure_reason", "mode"],
            ),
            inputs: make.counter(
                "gitlab_runner_job_inputs_interpolations_total",
                "Total number of job input interpolations where expressions were actually used (output differs from input)",
            ),
            input_failures: make.counters(
                "gitlab_runner_job_inputs_interpolation_failures_total",
                "Total number of failed job input interpolations, labeled by error type",
                &["error_type"],
            ),
            job_duration: make.histograms(
                "gitlab_runner_job_duration_seconds",
                "Histogram of job durations",
                &with(&ENTRY, &["mode"]),
                &JOB_DURATION_S,
            ),
            job_mode: make.counters(
                "gitlab_runner_job_execution_mode_total",
                "Total number of jobs grouped by execution mode and executor",
                &["mode", "executor"],
            ),
            job_stage_duration: make.histograms(
                "gitlab_runner_job_stage_duration_seconds",
                "Histogram of job durations by stage",
                &with(&ENTRY, &["stage"]),
                &STAGE_DURATION_S,
            ),
            queue_depth: make.gauges(
                "gitlab_runner_job_queue_depth",
                "A gauge representing the search depth in the queue for the runner",
                &ENTRY,
            ),
            queue_duration: make.histograms(
                "gitlab_runner_job_queue_duration_seconds",
                "A histogram representing job queue duration.",
                &with(&ENTRY, &["project_jobs_running"]),
                &QUEUE_DURATION_S,
            ),
            queue_size: make.gauges(
                "gitlab_runner_job_queue_size",
                "A gauge representing the size of the queue for the runner",
                &ENTRY,
            ),
            jobs: make.gauges(
                "gitlab_runner_jobs",
                "The current number of running builds.",
                &with(&ENTRY, &["state", "stage", "executor_stage"]),
            ),
            jobs_total: make.counters(
                "gitlab_runner_jobs_total",
                "Total number of handled jobs",
                &ENTRY,
            ),
            // The help text is the official one, odd as it is.
            limit: make.gauges(
                "gitlab_runner_limit",
                "The current value of concurrent setting",
                &ENTRY,
            ),
            process_state: make.gauges(
                "gitlab_runner_process_state_info",
                "This metric provides info about the current state of the GitLab Runner process",
                &["state"],
            ),
            requests: make.gauges(
                "gitlab_runner_request_concurrency",
                "The current number of concurrent requests for a new job",
                &MANAGER,
            ),
            requests_adaptive_limit: make.add(GaugeVec::new(
                Opts::new(
                    "gitlab_runner_request_concurrency_adaptive_limit",
                    "Computed adaptive request concurrency limit",
                ),
                &MANAGER,
            )),
            requests_exceeded: make.counters(
                "gitlab_runner_request_concurrency_exceeded_total",
                "Count of excess requests above the configured request_concurrency limit",
                &MANAGER,
            ),
            requests_hard_limit: make.gauges(
                "gitlab_runner_request_concurrency_hard_limit",
                "Configured request_concurrency limit",
                &MANAGER,
            ),
            requests_used_limit: make.gauges(
                "gitlab_runner_request_concurrency_used_limit",
                "Used request concurrency limit",
                &MANAGER,
            ),
            version: make.gauges(
                "gitlab_runner_version_info",
                "A metric with a constant '1' value labeled by different build stats fields.",
                &[
                    "name",
                    "version",
                    "revision",
                    "branch",
                    "go_version",
                    "built_at",
                    "os",
                    "architecture",
                ],
            ),
            feed_failures: make.counters(
                "gitlab_runner_worker_feed_failures_total",
                "Total number of times that runner worker feeding have failed",
                &ENTRY,
            ),
            feeds: make.counters(
                "gitlab_runner_worker_feeds_total",
                "Total number of times that runner worker is fed to the main loop",
                &ENTRY,
            ),
            health_check_failures: make.counters(
                "gitlab_runner_worker_health_check_failures_total",
                "Total number of runner worker health check failures",
                &ENTRY,
            ),
            processing_failures: make.counters(
                "gitlab_runner_worker_processing_failures_total",
                "Total number of failures when processing runner worker",
                &with(&ENTRY, &["failure_type"]),
            ),
            slot_operations: make.counters(
                "gitlab_runner_worker_slot_operations_total",
                "Total number of runner workers slot operations (starting and stopping slots)",
                &["operation"],
            ),
            slots: make.gauge(
                "gitlab_runner_worker_slots_number",
                "Current number of runner worker slots",
            ),
            process: ProcessFamilies::new(&make),
        }
    }
}

impl ProcessFamilies {
    fn new(make: &Maker<'_>) -> Self {
        let counter = |name, help| make.add(Counter::new(name, help));
        let gauge = |name, help| make.add(Gauge::new(name, help));
        ProcessFamilies {
            cpu: counter(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            ),
            max_fds: gauge(
                "process_max_fds",
                "Maximum number of open file descriptors.",
            ),
            received: counter(
                "process_network_receive_bytes_total",
                "Number of bytes received by the process over the network.",
            ),
            sent: counter(
                "process_network_transmit_bytes_total",
                "Number of bytes sent by the process over the network.",
            ),
            open_fds: gauge("process_open_fds", "Number of open file descriptors."),
            resident: gauge(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
            ),
            start: gauge(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
            ),
            virtual_memory: gauge(
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
            ),
            virtual_memory_max: gauge(
                "process_virtual_memory_max_bytes",
                "Maximum amount of virtual memory available in bytes.",
            ),
        }
    }
}

/// Series of parts that this runner does not have, so that dashboards find them: what they count never
/// happens here, they stay 0 (docs/differences.md).
fn absent(make: &Maker<'_>) {
    let router = "gitlab_runner_job_router_";
    make.gauge(
        &format!("{router}circuit_breaker_state"),
        "Circuit breaker state (0 = closed, 1 = open, 2 = half-open).",
    );
    make.counter(
        &format!("{router}circuit_breaker_trips_total"),
        "Total number of times the circuit breaker has tripped open.",
    );
    let histogram = |name: String, help: &str, buckets: &[f64]| {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        make.add(Histogram::with_opts(opts));
    };
    histogram(
        format!("{router}get_job_duration_seconds"),
        "Latency histogram of runner-side job router GetJob requests, regardless of outcome.",
        &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0],
    );
    let role = "gitlab_runner_cache_s3_assume_role_";
    make.counter(
        &format!("{role}cache_hits_total"),
        "Number of AssumeRole credential cache hits.",
    );
    make.counter(
        &format!("{role}cache_misses_total"),
        "Number of AssumeRole credential cache misses (This is also a count of the STS calls for cache credentials that were made).",
    );
    make.gauge(
        &format!("{role}cached_credentials"),
        "Current number of AssumeRole credentials held in the LRU cache.",
    );
    histogram(
        format!("{role}duration_seconds"),
        "Duration of AssumeRole API calls to AWS STS.",
        &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0],
    );
    make.counter(
        &format!("{role}failures_total"),
        "Number of AssumeRole requests which failed.",
    );
    make.gauge(
        &format!("{role}requests_in_flight"),
        "Number of AssumeRole requests to AWS STS in progress.",
    );
    histogram(
        format!("{role}wait_seconds"),
        "Wait time to acquire a concurrency slot before an AssumeRole request.",
        &[
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        ],
    );
}
