//! One entry's way through a worker: poll, pickup, job, final update (runner.md 4.2).

use std::sync::Arc;

use protocol::{FailureReason, JobPayload};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::options::ManagerOptions;
use super::records::job_ended;
use super::rotation::TokenKey;
use super::sessions::Offers;
use super::state::{EntryData, flag, job_config};
use super::unsupported::refusals;
use super::watched::Watched;
use crate::client::{ApiClient, JobCredentials, JobRequestResult, ReceivedJob, ResetOutcome};
use crate::executor::ManagerLines;
use crate::job::{
    self, Flag, Interpolations, Interrupt, JobFailure, JobIds, JobOutcome, JobRun, JobSignals,
    JobTls, LogSettings,
};
use crate::logging;
use crate::metrics::{JobState, JobWatch, Metrics};
use crate::schedule::{Entry, ExecutorRequest, PollEnd, Ticket};
use crate::session::Session;
use crate::trace::{FirstUpdate, JobLog, JobResult, JobTrace, LogOptions, Masks, TraceSettings};

/// Exit code of a job that was refused at pickup.
const REFUSED_EXIT_CODE: i32 = 3;

/// What a worker tells the manager. The order in which these arrive is the order of everything.
#[derive(Debug)]
pub(super) enum Message {
    /// An answer came; whether it was a good one.
    Answered { ticket: Ticket, good: bool },
    /// The request slot is free.
    RequestOver { ticket: Ticket, end: PollEnd },
    /// A job will run; the manager answers with its ids.
    JobAdded {
        ticket: Ticket,
        payload: Arc<JobPayload>,
        ids: oneshot::Sender<JobIds>,
    },
    /// A job has ended, for the server too.
    JobRemoved {
        ticket: Ticket,
        payload: Arc<JobPayload>,
    },
    /// A job failed because of the runner or what it runs on.
    SystemFailure { ticket: Ticket, error: String },
    /// The worker is free.
    Done { ticket: Ticket },
    /// Somebody reads the metrics: their gauges are to be set.
    Scrape(oneshot::Sender<()>),
    /// The server has answered a token reset.
    TokenReset {
        old: TokenKey,
        outcome: ResetOutcome,
    },
}

/// State of a job that has ended.
fn state_after(reason: Option<FailureReason>) -> JobState {
    match reason {
        None => JobState::Success,
        Some(FailureReason::JobCanceled) => JobState::Canceled,
        Some(FailureReason::RunnerInterrupted) => JobState::Terminated,
        Some(FailureReason::JobExecutionTimeout) => JobState::TimedOut,
        Some(_) => JobState::Failed,
    }
}

/// What a worker has.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) ticket: Ticket,
    pub(super) entry: Arc<Entry<EntryData>>,
    pub(super) client: Arc<ApiClient>,
    pub(super) options: Arc<ManagerOptions>,
    pub(super) metrics: Metrics,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    /// Ends a request that is under way.
    pub(super) stop_requests: CancellationToken,
    /// Ends jobs.
    pub(super) interrupt: Interrupt,
    /// Ends everything at once: processes are killed, one final update is tried.
    pub(super) kill: CancellationToken,
}

impl Worker {
    /// Works until the worker is free.
    pub(super) async fn work(self) {
        let end = self.poll().await;
        self.tell(Message::RequestOver {
            ticket: self.ticket,
            end,
        });
        self.tell(Message::Done {
            ticket: self.ticket,
        });
    }

    fn tell(&self, message: Message) {
        // Without a manager nobody wants to know.
        let _ = self.messages.send(message);
    }

    async fn poll(&self) -> PollEnd {
        if flag(&self.entry.data.config, Flag::UseJobRouter) {
            // Where there is one, the log says that it is not used.
            let _ = self
                .client
                .job_router(&self.entry.token, &self.stop_requests)
                .await;
        }
        let offers = self.entry.data.offers.as_ref();
        let offer = offers.map(Offers::take);
        let poll = offer
            .as_ref()
            .map_or(&self.entry.data.poll, |offer| &offer.poll);
        let outcome = self.client.request_job(poll, &self.stop_requests).await;
        // Belongs to the job, if one came.
        let session = offer.as_ref().map(|offer| Arc::clone(&offer.session));
        if let (Some(offers), Some(offer)) = (offers, offer) {
            offers.give_back(offer, &outcome.result);
        }
        self.tell(Message::Answered {
            ticket: self.ticket,
            good: !outcome.is_unhealthy(),
        });
        let end = PollEnd {
            got_job: matches!(
                outcome.result,
                JobRequestResult::Job(_) | JobRequestResult::Undecodable { job: Some(_), .. }
            ),
            back_pressured: outcome.back_pressured,
        };
        match outcome.result {
            // What a job needs is large, and most polls bring none: boxed, so that it is not moved with
            // the task of every poll.
            JobRequestResult::Job(job) => {
                Box::pin(self.pick_up(*job, outcome.correlation_id, end, session)).await;
            }
            JobRequestResult::Undecodable {
                job: Some(credentials),
                error,
            } => Box::pin(self.refuse_undecodable(credentials, &error)).await,
            _ => {}
        }
        end
    }

    /// A job whose payload cannot be read still ends, with a reason (issue 6, item 9).
    async fn refuse_undecodable(&self, credentials: JobCredentials, error: &str) {
        let text = format!("The job could not be read by this runner: {error}\n");
        self.refuse(credentials, &text, 0).await;
    }

    /// Ends a job that cannot be tried: its log is one text, and no `running` comes before.
    async fn refuse(&self, credentials: JobCredentials, text: &str, exit_code: i32) {
        let Some(log) = self.log(LogOptions {
            timestamps: false,
            ..LogOptions::default()
        }) else {
            return;
        };
        let trace = self.trace(credentials, &log, &LogSettings::plain());
        log.raw(text);
        let reason = FailureReason::RunnerSystemFailure.as_str();
        self.finish(trace, &JobResult::failed(reason, exit_code))
            .await;
    }

    fn log(&self, options: LogOptions) -> Option<JobLog> {
        match self.options.spool.spool() {
            Ok(spool) => Some(JobLog::new(options, Arc::clone(&self.options.clock), spool)),
            Err(error) => {
                tracing::error!(%error, "Failed to create the spool file of a job's log");
                None
            }
        }
    }

    fn trace(&self, job: JobCredentials, log: &JobLog, settings: &LogSettings) -> JobTrace {
        let settings = TraceSettings {
            debug_trace: settings.debug_trace,
            dynamic_force_send_interval: settings.dynamic_force_send_interval,
            final_update_retry_limit: self.entry.data.config.final_update_retry_limit,
            ..TraceSettings::new(self.entry.data.info.clone())
        };
        JobTrace::start(Arc::clone(&self.client), job, log.clone(), settings)
    }

    async fn pick_up(
        &self,
        received: ReceivedJob,
        correlation_id: String,
        end: PollEnd,
        session: Option<Arc<Session>>,
    ) {
        let payload = Arc::new(received.payload);
        let credentials = JobCredentials {
            id: payload.id.get(),
            token: payload.token.get(),
        };
        let refused = refusals(&payload);
        if !refused.is_empty() {
            let text = refused.join("\n") + "\n";
            self.refuse(credentials, &text, REFUSED_EXIT_CODE).await;
            return;
        }
        let config = job_config(&self.entry.data.config);
        let settings = LogSettings::new(&payload, &config);
        let Some(log) = self.log(LogOptions {
            timestamps: settings.timestamps,
            masks: Masks::new(&settings.phrases, &settings.token_prefixes),
            limit_bytes: self.entry.data.config.output_limit,
            trace_sections: payload.features.get().trace_sections.get(),
        }) else {
            // Without a log there is no trace to end the job with; one update tells the server.
            self.fail_without_log(&credentials).await;
            return;
        };
        let trace = self.trace(credentials, &log, &settings);
        match trace.first_update().await {
            FirstUpdate::Run => {}
            FirstUpdate::Abort => return trace.abandon().await,
            FirstUpdate::Cancel => {
                let reason = FailureReason::JobCanceled.as_str();
                self.finish(trace, &JobResult::failed(reason, 0)).await;
                return;
            }
        }
        self.tell(Message::RequestOver {
            ticket: self.ticket,
            end,
        });
        let offers = self.entry.data.offers.as_ref();
        let session = offers
            .zip(session)
            .map(|(offers, session)| offers.sessions().register(&session));
        if !settings.idle_flags.is_empty() {
            tracing::warn!(
                flags = settings.idle_flags.join(" "),
                job = payload.id.get(),
                "The job sets feature flags that this runner does not act on"
            );
        }
        let (ids, wanted) = oneshot::channel();
        self.tell(Message::JobAdded {
            ticket: self.ticket,
            payload: Arc::clone(&payload),
            ids,
        });
        let ids = wanted.await.unwrap_or_default();
        let request = ExecutorRequest {
            entry: &self.entry.data.config,
            payload: &payload,
            host: &self.options.host,
        };
        let watch = Arc::new(self.metrics.job(&self.entry.data.labels, &payload));
        let Some(executor) = self.options.executors.executor(request) else {
            // The scheduler polls for known executors only.
            ManagerLines::errorln(&log, "the executor of this entry is gone");
            let reason = FailureReason::RunnerSystemFailure.as_str();
            self.finish(trace, &JobResult::failed(reason, 0)).await;
            self.tell(Message::JobRemoved {
                ticket: self.ticket,
                payload,
            });
            return;
        };
        let stages = settings
            .stage_metrics
            .then(|| (self.metrics.clone(), self.entry.data.labels.clone()));
        let executor = Box::new(Watched::new(executor, Arc::clone(&watch), stages));
        let run = JobRun {
            payload: Arc::clone(&payload),
            config,
            host: self.options.host.clone(),
            ids,
            log: Arc::new(log),
            signals: JobSignals {
                cancel: trace.cancelled().clone(),
                abort: trace.aborted().clone(),
                interrupt: self.interrupt.clone(),
            },
            executor,
            correlation_id,
            tls: JobTls {
                ca: received.tls.ca_chain,
                cert: received.tls.cert,
                key: received.tls.key,
            },
            session,
        };
        let (result, system_failure) = self
            .run(run, &payload, &watch)
            .instrument(logging::job_span(&payload))
            .await;
        self.finish(trace, &result).await;
        drop(watch);
        let ticket = self.ticket;
        self.tell(Message::JobRemoved { ticket, payload });
        if let Some(error) = system_failure {
            self.tell(Message::SystemFailure { ticket, error });
        }
    }

    /// Runs the job, and logs how it ended. The text is that of a system failure.
    async fn run(
        &self,
        run: JobRun,
        payload: &JobPayload,
        watch: &JobWatch,
    ) -> (JobResult, Option<String>) {
        let begin = Instant::now();
        watch.state(JobState::Running);
        let log = Arc::clone(&run.log);
        let outcome = tokio::select! {
            biased;
            outcome = job::run(run) => outcome,
            // Dropping the job kills its processes.
            () = self.kill.cancelled() => {
                let message = "aborted: forced exit".to_owned();
                log.result_failure(&format!("Job failed: {message}"));
                JobOutcome {
                    failure: Some(JobFailure {
                        message,
                        reason: FailureReason::RunnerInterrupted,
                        exit_code: 0,
                    }),
                    reached_script: true,
                    inputs: Interpolations::default(),
                }
            }
        };
        let duration = begin.elapsed();
        let reason = outcome.failure.as_ref().map(|failure| failure.reason);
        watch.state(state_after(reason));
        self.metrics.job_ended(
            &self.entry.data.labels,
            &self.entry.data.config.executor,
            duration,
            reason,
            outcome.reached_script,
        );
        self.metrics.inputs(&outcome.inputs);
        job_ended(outcome.failure.as_ref(), duration);
        let Some(failure) = outcome.failure else {
            return (JobResult::success(), None);
        };
        let supported = payload.features.get().failure_reasons.get();
        let result = JobResult::failed(
            failure.reason.mapped_for(&supported).as_str(),
            failure.exit_code,
        );
        let system = failure.reason == FailureReason::RunnerSystemFailure;
        (result, system.then_some(failure.message))
    }

    /// Delivers the end of a job; after [`Worker::kill`] only for a short time.
    async fn finish(&self, trace: JobTrace, result: &JobResult) {
        tokio::select! {
            biased;
            _ = trace.finish(result) => {}
            () = self.killed_long_enough() => {
                tracing::warn!("The final update of a job could not be delivered before the exit");
            }
        }
    }

    async fn killed_long_enough(&self) {
        self.kill.cancelled().await;
        tokio::time::sleep(super::shutdown::LAST_UPDATE).await;
    }

    async fn fail_without_log(&self, credentials: &JobCredentials) {
        let mut update = protocol::JobUpdate::new(
            self.entry.data.info.clone(),
            "",
            protocol::UpdateState::Failed,
        );
        FailureReason::RunnerSystemFailure
            .as_str()
            .clone_into(&mut update.failure_reason);
        let _ = self.client.update_job(credentials, update).await;
    }
}
