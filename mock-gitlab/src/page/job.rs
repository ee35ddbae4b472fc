//! The page of one job.

use maud::{Markup, html};

use super::view::JobView;
use super::{layout, times, trace};

pub(super) fn render(view: &JobView) -> Markup {
    let job = &view.job;
    let id = job.id;
    let main = html! {
        h1 { "Job #" (id) " " (job.name) " " (layout::state(job.status)) }
        dl.facts {
            (fact("Project", &html! { (job.project) }))
            @if let Some(pipeline) = view.pipeline { (fact("Pipeline", &html! { "#" (pipeline) })) }
            (fact("Stage", &html! { (job.stage) }))
            @if !job.tags.is_empty() { (fact("Tags", &layout::tags(&job.tags))) }
            @if let Some((id, name)) = &job.runner { (fact("Runner", &html! { (name) " #" (id) })) }
            @if let Some(queued) = job.queued {
                (fact("Waited", &html! { (times::between(queued, job.started.or(job.finished).unwrap_or(view.now))) }))
            }
            @if let Some(started) = job.started {
                (fact(if job.finished.is_some() { "Ran" } else { "Runs" }, &html! { (times::between(started, job.finished.unwrap_or(view.now))) " since " (times::clock(started)) }))
            }
            @if let Some(timeout) = view.timeout { (fact("Timeout", &html! { (times::seconds(timeout)) })) }
            @if let Some(reason) = &job.failure { (fact("Failure reason", &html! { (reason) })) }
            @if let Some(code) = view.exit_code { (fact("Exit code", &html! { (code) })) }
            @if !view.artifacts.is_empty() {
                (fact("Artifacts", &html! {
                    @for (kind, name, size) in &view.artifacts { div { (kind) ": " (name) " " span.quiet { (size) " bytes" } } }
                }))
            }
        }
        @if !view.why_not.is_empty() {
            section aria-labelledby="h-why" {
                h2 #h-why { "Why not?" }
                table {
                    thead { tr { th scope="col" { "Runner" } th scope="col" { "Its next poll" } } }
                    tbody {
                        @for (id, name, reason) in &view.why_not {
                            tr {
                                th scope="row" { "#" (id) " " (name) }
                                td { @match reason { Some(reason) => { "does not get it: " (reason) } None => { b.next { "gets it" } } } }
                            }
                        }
                    }
                }
            }
        }
        section aria-labelledby="h-log" {
            h2 #h-log { "Log" }
            p.quiet {
                (view.size) " bytes"
                @if view.lines_before > 0 { ", the first " (view.lines_before) " lines are not shown" }
                " · " a href={ "/page/jobs/" (id) "/raw" } { "as text" }
                span.folding hidden { " · " button type="button" data-fold="open" { "Unfold all" } " " button type="button" data-fold="close" { "Fold all" } }
            }
            @if view.log.is_empty() {
                p { "Nothing was written yet." }
            } @else {
                div.log #log tabindex="0" role="log" aria-labelledby="h-log" aria-live="off" {
                    (trace::render(&trace::parse(&view.log, view.lines_before + 1)))
                }
            }
        }
    };
    layout::page(&format!("#{id} {}", job.name), view.now, &main)
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}
