//! The first page: runners, queue, jobs, time line.

use jiff::Timestamp;
use maud::{Markup, html};

use super::view::{JobRow, Overview, Place, Queue, RunnerRow};
use super::{layout, times};

pub(super) fn render(view: &Overview) -> Markup {
    let main = html! {
        h1 { "What is going on at " span.url { (view.url) } }
        p.quiet { "GitLab " (view.version) ", played. This page shows and changes nothing." }
        ul.counts aria-label="Jobs by state" {
            @for group in &view.states {
                li { b { (group.count) } " " a href={ "#state-" (group.status.as_str()) } { (layout::state(group.status)) } }
            }
            @if view.states.is_empty() { li { "no jobs yet" } }
        }
        @if let Some(limit) = view.newest_only {
            p.quiet { "There are more jobs: the newest " (limit) " are counted and shown." }
        }
        section #runners aria-labelledby="h-runners" {
            h2 #h-runners { "Runners" }
            (runners(view))
        }
        section #queue aria-labelledby="h-queue" {
            h2 #h-queue { "Queue" }
            p.quiet { (view.waiting) @if view.waiting == 1 { " job waits" } @else { " jobs wait" } ". For each runner: what its next polls get, in this order, and why." }
            @for runner in &view.runners {
                @if let Some(queue) = &runner.queue { (self::queue(runner, queue, view.now)) }
            }
        }
        section #time aria-labelledby="h-time" {
            h2 #h-time { "Time line" }
            (time_line(&view.bars, view.now))
        }
        section #jobs aria-labelledby="h-jobs" {
            h2 #h-jobs { "Jobs by state" }
            @for group in &view.states {
                details id={ "state-" (group.status.as_str()) } data-key={ "state-" (group.status.as_str()) } open {
                    summary { (layout::state(group.status)) " " (group.count) }
                    (jobs(&group.jobs, view.now))
                    @if group.count > group.jobs.len() {
                        p.quiet { "and " (group.count - group.jobs.len()) " older" }
                    }
                }
            }
        }
    };
    layout::page("Overview", view.now, &main)
}

fn runners(view: &Overview) -> Markup {
    if view.runners.is_empty() {
        return html! { p { "No runner yet. Register one with this server's URL and a token." } };
    }
    html! {
        div.wide tabindex="0" role="region" aria-labelledby="h-runners" {
            table {
                thead { tr { th scope="col" { "Runner" } th scope="col" { "State" } th scope="col" { "Last contact" } th scope="col" { "Slots in use" } th scope="col" { "For" } th scope="col" { "Tags" } th scope="col" { "Machines" } } }
                tbody {
                    @for runner in &view.runners {
                        tr {
                            th scope="row" { "#" (runner.id) " " (runner.name) }
                            td { span class={ "state " (runner_tone(runner.state)) } { (runner.state) } }
                            td { @match runner.contacted { Some(at) => { (times::ago(at, view.now)) } None => { "never" } } }
                            td {
                                (runner.running.len())
                                @for job in runner.running.iter().take(8) { " " a href={ "/page/jobs/" (job) } { "#" (job) } }
                            }
                            td { (runner.scope) }
                            td { (layout::tags(&runner.tags)) @for what in &runner.takes { span.quiet { (what) } " " } }
                            td {
                                @for machine in runner.machines.iter().take(4) {
                                    div { code { (machine.system_id) } " " (machine.about) " " span.quiet { (machine.address) ", " (times::ago(machine.contacted, view.now)) } }
                                }
                                @if runner.machines.len() > 4 { span.quiet { "and " (runner.machines.len() - 4) " more" } }
                            }
                        }
                    }
                }
            }
        }
        @if view.more_runners > 0 { p.quiet { "and " (view.more_runners) " more" } }
    }
}

fn runner_tone(state: &str) -> &'static str {
    match state {
        "online" => "good",
        "paused" => "wait",
        _ => "idle",
    }
}

fn queue(runner: &RunnerRow, queue: &Queue, now: Timestamp) -> Markup {
    html! {
        details data-key={ "queue-" (runner.id) } open[!queue.order.is_empty()] {
            summary { b { (runner.name) } " " span.quiet { "#" (runner.id) ", " (runner.scope) } }
            @if queue.order.is_empty() && queue.others.is_empty() {
                p.quiet { "Nothing waits." }
            } @else {
                p.quiet { (queue.rule) }
                div.wide tabindex="0" role="region" aria-label={ "Queue of " (runner.name) } {
                    table.queue {
                        thead { tr { th scope="col" { "Place" } th scope="col" { "Job" } th scope="col" { "Project" } th scope="col" { "Tags" } th scope="col" { "Since" } th scope="col" { "Why" } } }
                        tbody {
                            @for (index, place) in queue.order.iter().enumerate() { (self::place(Some(index + 1), place, now)) }
                            @for place in &queue.others { (self::place(None, place, now)) }
                        }
                    }
                }
                @if let Some(limit) = queue.oldest_only {
                    p.quiet { "Only the " (limit) " oldest waiting jobs were looked at for jobs that are not in it." }
                }
            }
        }
    }
}

fn place(number: Option<usize>, place: &Place, now: Timestamp) -> Markup {
    html! {
        tr.off[number.is_none()] {
            td { @match number { Some(number) => { (number) } None => { "not in it" } } }
            td { (layout::link(&place.job)) " " (layout::state(place.job.status)) }
            td { (place.job.project) }
            td { (layout::tags(&place.job.tags)) }
            td { (times::ago(place.job.queued.unwrap_or(place.job.created), now)) }
            td { @match &place.why_not { Some(reason) => { (reason) } None => { b.next { "the next poll gets it" } } } }
        }
    }
}

fn jobs(jobs: &[JobRow], now: Timestamp) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Jobs" {
            table.jobs {
                thead { tr { th scope="col" { "Job" } th scope="col" { "Project" } th scope="col" { "Stage" } th scope="col" { "Runner" } th scope="col" { "Waited" } th scope="col" { "Ran" } th scope="col" { "Ended" } th scope="col" { "Reason" } } }
                tbody {
                    @for job in jobs {
                        tr {
                            td { (layout::link(job)) }
                            td { (job.project) }
                            td { (job.stage) }
                            td { @if let Some((id, name)) = &job.runner { (name) " " span.quiet { "#" (id) } } }
                            td { @if let Some(queued) = job.queued { (times::between(queued, job.started.or(job.finished).unwrap_or(now))) } }
                            td { @if let Some(started) = job.started { (times::between(started, job.finished.unwrap_or(now))) } }
                            td { @if let Some(finished) = job.finished { (times::ago(finished, now)) } }
                            td { @if let Some(reason) = &job.failure { (reason) } }
                        }
                    }
                }
            }
        }
    }
}

/// Width of a bar's drawing, in its own units.
const WIDTH: i64 = 1000;

fn time_line(jobs: &[JobRow], now: Timestamp) -> Markup {
    let begin = |job: &JobRow| job.queued.or(job.started).unwrap_or(job.created);
    let end = |job: &JobRow| job.finished.unwrap_or(now);
    let (Some(first), Some(last)) = (jobs.iter().map(begin).min(), jobs.iter().map(end).max())
    else {
        return html! { p { "No job has waited or run yet." } };
    };
    let span = last.duration_since(first).as_millis().max(1);
    let at = |time: Timestamp| {
        let millis = time.duration_since(first).as_millis().clamp(0, span);
        (millis * i128::from(WIDTH) / span) as i64
    };
    html! {
        p.quiet { span.key.wait {} " waits " span.key.busy {} " runs " span.key.good {} " success " span.key.bad {} " failed " span.key.idle {} " other" }
        ol.line-of-time {
            @for job in jobs {
                @let (queued, started, finished) = (at(begin(job)), job.started.map(at), at(end(job)));
                li {
                    span.what { (layout::link(job)) }
                    svg viewBox={ "0 0 " (WIDTH) " 20" } preserveAspectRatio="none" role="img" aria-label=(told(job, now)) {
                        rect.wait x=(queued) y="6" width=((started.unwrap_or(finished) - queued).max(2)) height="8" {}
                        @if let Some(started) = started {
                            rect class=(layout::tone(job.status)) x=(started) y="2" width=((finished - started).max(3)) height="16" {}
                        }
                    }
                }
            }
            li.axis aria-hidden="true" {
                span.what {}
                span.ends { (times::clock(first)) span { (times::between(first, last)) } (times::clock(last)) }
            }
        }
    }
}

/// A bar in words.
fn told(job: &JobRow, now: Timestamp) -> String {
    let waited = job.queued.map(|queued| {
        let end = job.started.or(job.finished).unwrap_or(now);
        format!("waited {}", times::between(queued, end))
    });
    let ran = job.started.map(|started| {
        format!(
            "ran {}",
            times::between(started, job.finished.unwrap_or(now))
        )
    });
    let parts = [waited, ran, Some(job.status.as_str().to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
