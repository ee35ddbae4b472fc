//! What the page shows, taken from the world in one look.

use std::collections::BTreeMap;

use jiff::Timestamp;
use protocol::JobStatus;

use crate::world::state::{AccessLevel, Job, Runner, RunnerType};
use crate::world::{JobId, RunnerId, WhyNot, World};

/// Newest jobs that are looked at.
const JOBS: usize = 20_000;
/// Jobs shown per state.
const PER_STATE: usize = 12;
/// Jobs of the time line.
const BARS: usize = 24;
/// Runners shown.
const RUNNERS: usize = 100;
/// Runners whose queue is shown: those that were heard of last.
const QUEUES: usize = 12;
/// Jobs shown of a queue, and jobs shown that are not in it.
const QUEUED: usize = 15;
/// Waiting jobs that are looked at for those that are not in a queue, the oldest.
const OTHERS_WITHIN: usize = 2000;

/// A job, short.
#[derive(Clone, Debug)]
pub(super) struct JobRow {
    pub(super) id: JobId,
    pub(super) name: String,
    pub(super) project: String,
    pub(super) stage: String,
    pub(super) tags: Vec<String>,
    pub(super) status: JobStatus,
    pub(super) runner: Option<(RunnerId, String)>,
    pub(super) created: Timestamp,
    pub(super) queued: Option<Timestamp>,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    pub(super) failure: Option<String>,
}

impl JobRow {
    fn new(world: &World, job: &Job) -> JobRow {
        let project = world.project(job.project);
        let runner = job.runner().map(|id| (id, runner_name(world, id)));
        JobRow {
            id: job.id,
            name: job.definition.name.clone(),
            project: project.map_or_else(String::new, |project| project.full_path.clone()),
            stage: job.definition.stage.clone(),
            tags: job.definition.tags.clone(),
            status: job.status,
            runner,
            created: job.created_at,
            queued: job.queued_at,
            started: job.started_at(),
            finished: job.finished_at,
            failure: job.failure_reason.as_ref().map(ToString::to_string),
        }
    }
}

fn runner_name(world: &World, id: RunnerId) -> String {
    let runner = world
        .runner(id)
        .filter(|runner| !runner.description.is_empty());
    runner.map_or_else(
        || format!("runner {id}"),
        |runner| runner.description.clone(),
    )
}

/// A machine of a runner.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) system_id: String,
    pub(super) about: String,
    pub(super) address: String,
    pub(super) contacted: Timestamp,
}

/// A place in a queue.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) job: JobRow,
    /// `None`: the runner's next poll gets it.
    pub(super) why_not: Option<WhyNot>,
}

/// What a runner would get, in order, and what not.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) rule: &'static str,
    pub(super) order: Vec<Place>,
    /// Waiting jobs that are not in its order, of the oldest waiting ones.
    pub(super) others: Vec<Place>,
    /// How many of the waiting jobs were looked at for `others`, when not all.
    pub(super) oldest_only: Option<usize>,
}

/// A runner.
#[derive(Clone, Debug)]
pub(super) struct RunnerRow {
    pub(super) id: RunnerId,
    pub(super) name: String,
    pub(super) scope: String,
    pub(super) tags: Vec<String>,
    pub(super) takes: Vec<&'static str>,
    pub(super) state: &'static str,
    pub(super) contacted: Option<Timestamp>,
    pub(super) machines: Vec<Machine>,
    pub(super) running: Vec<JobId>,
    pub(super) queue: Option<Queue>,
}

/// Jobs of one state.
#[derive(Clone, Debug)]
pub(super) struct StateGroup {
    pub(super) status: JobStatus,
    pub(super) count: usize,
    /// The newest.
    pub(super) jobs: Vec<JobRow>,
}

/// The first page.
#[derive(Clone, Debug)]
pub(super) struct Overview {
    pub(super) now: Timestamp,
    pub(super) url: String,
    pub(super) version: String,
    pub(super) runners: Vec<RunnerRow>,
    pub(super) more_runners: usize,
    pub(super) waiting: usize,
    pub(super) states: Vec<StateGroup>,
    /// Not all jobs were looked at.
    pub(super) newest_only: Option<usize>,
    pub(super) bars: Vec<JobRow>,
}

/// A runner is online when it was heard of in the last two hours, as GitLab has it (queueing.md 10).
const ONLINE_S: i64 = 2 * 3600;

pub(super) fn overview(world: &mut World, now: Timestamp) -> Overview {
    // What time alone changes is done first, so that reasons are those of now.
    world.tick(now);
    let world = &*world;
    let mut groups: BTreeMap<&'static str, StateGroup> = BTreeMap::new();
    let mut running: BTreeMap<RunnerId, Vec<JobId>> = BTreeMap::new();
    let mut waiting = Vec::new();
    let mut bars = Vec::new();
    let mut jobs = world.jobs().rev();
    for job in jobs.by_ref().take(JOBS) {
        let group = groups.entry(job.status.as_str()).or_insert(StateGroup {
            status: job.status,
            count: 0,
            jobs: Vec::new(),
        });
        group.count += 1;
        if group.jobs.len() < PER_STATE {
            group.jobs.push(JobRow::new(world, job));
        }
        if let Some(runner) = job.runner()
            && matches!(job.status, JobStatus::Running | JobStatus::Canceling)
        {
            running.entry(runner).or_default().push(job.id);
        }
        if bars.len() < BARS && (job.queued_at.is_some() || job.started_at().is_some()) {
            bars.push(JobRow::new(world, job));
        }
        if order(job.status) == 1 {
            waiting.push(job.id);
        }
    }
    let newest_only = jobs.next().is_some().then_some(JOBS);
    // Those that wait longest come first in every order.
    waiting.reverse();
    let mut runners: Vec<&Runner> = world.runners().collect();
    runners.sort_by_key(|runner| std::cmp::Reverse((runner.contacted_at, runner.id)));
    let more_runners = runners.len().saturating_sub(RUNNERS);
    runners.truncate(RUNNERS);
    let mut queues = 0;
    let rows = runners.iter().map(|runner| {
        queues += 1;
        let queue = (queues <= QUEUES).then(|| queue(world, now, runner, &waiting));
        let mut jobs = running.remove(&runner.id).unwrap_or_default();
        jobs.reverse();
        runner_row(world, now, runner, jobs, queue)
    });
    let mut rows: Vec<RunnerRow> = rows.collect();
    rows.sort_by_key(|row| row.id);
    let mut states: Vec<StateGroup> = groups.into_values().collect();
    states.sort_by_key(|group| (order(group.status), group.status.as_str()));
    bars.reverse();
    Overview {
        now,
        url: world.settings().external_url.clone(),
        version: world.settings().version.clone(),
        runners: rows,
        more_runners,
        waiting: waiting.len(),
        states,
        newest_only,
        bars,
    }
}

/// Running first, then what waits, then what ended.
pub(super) fn order(status: JobStatus) -> u8 {
    match status {
        JobStatus::Running | JobStatus::Canceling => 0,
        JobStatus::Failed => 2,
        JobStatus::Success => 3,
        status if status.is_complete() => 4,
        _ => 1,
    }
}

fn queue(world: &World, now: Timestamp, runner: &Runner, waiting: &[JobId]) -> Queue {
    let order = world.queue_for(runner.id, QUEUED);
    let looked_at = &waiting[..waiting.len().min(OTHERS_WITHIN)];
    let others = looked_at.iter();
    let others = others.filter(|id| !world.is_in_queue_of(runner.id, **id));
    let others: Vec<JobId> = others.take(QUEUED).copied().collect();
    let places = |ids: &[JobId]| -> Vec<Place> {
        let reasons = world.why_nots(now, runner.id, ids);
        let jobs = ids.iter().filter_map(|id| world.job(*id));
        jobs.zip(reasons)
            .map(|(job, why_not)| Place {
                job: JobRow::new(world, job),
                why_not,
            })
            .collect()
    };
    Queue {
        rule: if runner.runner_type == RunnerType::InstanceType {
            "Fair order: the project with the fewest jobs on instance runners first, then the lowest id."
        } else {
            "The lowest id first."
        },
        order: places(&order),
        others: places(&others),
        oldest_only: (looked_at.len() < waiting.len() && others.len() < QUEUED)
            .then_some(OTHERS_WITHIN),
    }
}

fn runner_row(
    world: &World,
    now: Timestamp,
    runner: &Runner,
    running: Vec<JobId>,
    queue: Option<Queue>,
) -> RunnerRow {
    let path = |id: &i64| {
        let project = world.project(*id);
        project.map_or_else(|| id.to_string(), |project| project.full_path.clone())
    };
    let scope = match runner.runner_type {
        RunnerType::InstanceType => "all projects".to_owned(),
        RunnerType::GroupType => {
            let group = runner.group.and_then(|id| world.group(id));
            format!("group {}", group.map_or("(none)", |group| &group.full_path))
        }
        RunnerType::ProjectType => {
            let paths: Vec<String> = runner.projects.iter().map(path).collect();
            format!("project {}", paths.join(", "))
        }
    };
    let mut takes = Vec::new();
    if runner.tags.is_empty() || runner.run_untagged {
        takes.push("untagged");
    }
    if runner.access_level == AccessLevel::RefProtected {
        takes.push("protected only");
    }
    let online = |at: Timestamp| now.duration_since(at).as_secs() < ONLINE_S;
    let state = match runner.contacted_at {
        _ if runner.paused => "paused",
        None => "never contacted",
        Some(at) if online(at) => "online",
        Some(_) => "offline",
    };
    let machines = runner.managers.values().map(|machine| Machine {
        system_id: machine.system_id.to_string(),
        about: [
            &*machine.version,
            &*machine.executor,
            &*machine.platform,
            &*machine.architecture,
        ]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(", "),
        address: machine.ip_address.clone(),
        contacted: machine.contacted_at,
    });
    RunnerRow {
        id: runner.id,
        name: runner_name(world, runner.id),
        scope,
        tags: runner.tags.iter().map(ToString::to_string).collect(),
        takes,
        state,
        contacted: runner.contacted_at,
        machines: machines.collect(),
        running,
        queue,
    }
}

/// The page of one job.
#[derive(Clone, Debug)]
pub(super) struct JobView {
    pub(super) now: Timestamp,
    pub(super) job: JobRow,
    pub(super) pipeline: Option<i64>,
    pub(super) timeout: Option<i64>,
    pub(super) exit_code: Option<i32>,
    pub(super) artifacts: Vec<(String, String, u64)>,
    /// For a job that waits: every runner, and why it would not get it.
    pub(super) why_not: Vec<(RunnerId, String, Option<WhyNot>)>,
    /// The end of its log, and how long all of it is, bytes.
    pub(super) log: Vec<u8>,
    pub(super) size: u64,
    /// Lines that stand before `log`.
    pub(super) lines_before: usize,
}

/// Bytes of a log that the page shows; the rest is one click away.
const LOG_BYTES: usize = 512 * 1024;

/// One job; `None` if there is none. Looking counts as watching its log, so the runner sends it faster.
pub(super) fn job(world: &mut World, now: Timestamp, id: JobId) -> Option<JobView> {
    world.tick(now);
    world.watch_trace(now, id).ok()?;
    let world = &*world;
    let job = world.job(id)?;
    let why_not = if order(job.status) == 1 {
        let runners = world.runners().take(RUNNERS);
        runners
            .map(|runner| {
                (
                    runner.id,
                    runner_name(world, runner.id),
                    world.why_not(now, runner.id, id),
                )
            })
            .collect()
    } else {
        Vec::new()
    };
    let whole = world.trace(id);
    let cut = if whole.len() <= LOG_BYTES {
        0
    } else {
        let from = whole.len() - LOG_BYTES;
        memchr::memchr(b'\n', &whole[from..]).map_or(from, |end| from + end + 1)
    };
    let artifacts = world.artifacts(id).map(|artifact| {
        (
            artifact.file_type.to_string(),
            artifact.filename.to_string(),
            artifact.size,
        )
    });
    Some(JobView {
        now,
        pipeline: job.pipeline,
        timeout: job.run.as_ref().map(|run| run.timeout),
        exit_code: job.exit_code,
        artifacts: artifacts.collect(),
        why_not,
        size: whole.len() as u64,
        lines_before: memchr::memchr_iter(b'\n', &whole[..cut]).count(),
        log: whole[cut..].to_vec(),
        job: JobRow::new(world, job),
    })
}
