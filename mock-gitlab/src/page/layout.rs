//! What all pages share.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};
use protocol::JobStatus;

use super::times;
use super::view::JobRow;

/// A whole page. `main` is what the script keeps up to date.
pub(super) fn page(title: &str, now: Timestamp, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · mock-gitlab" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/page/style.css";
                script src="/page/script.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    a.home href="/" { "mock-gitlab" }
                    nav aria-label="Page" {
                        a href="/#runners" { "Runners" }
                        a href="/#queue" { "Queue" }
                        a href="/#time" { "Time line" }
                        a href="/#jobs" { "Jobs" }
                    }
                    div.live {
                        span { "As of " (times::clock(now)) " UTC" }
                        button #live type="button" aria-pressed="true" hidden { "Live" }
                    }
                }
                main #main tabindex="-1" { (main) }
            }
        }
    }
}

/// Which of the page's colours a state has.
pub(super) fn tone(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Running | JobStatus::Canceling => "busy",
        JobStatus::Success => "good",
        JobStatus::Failed => "bad",
        JobStatus::Pending => "wait",
        _ => "idle",
    }
}

/// A state, told by a word and not by its colour alone.
pub(super) fn state(status: JobStatus) -> Markup {
    html! { span class={ "state " (tone(status)) } { (status.as_str()) } }
}

/// A job's name as a link to its page.
pub(super) fn link(job: &JobRow) -> Markup {
    html! { a href={ "/page/jobs/" (job.id) } { "#" (job.id) " " (job.name) } }
}

/// Tags.
pub(super) fn tags(tags: &[String]) -> Markup {
    html! { @for tag in tags { span.tag { (tag) } " " } }
}
