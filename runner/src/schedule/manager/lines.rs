//! Texts of the process log that take more than a line to make.

use protocol::JobPayload;

use super::state::is_adaptive;
use crate::config::Config;
use crate::git::without_credentials;

/// The warning about long polling (runner.md 4.2, RUN-SCH-15); `None` without an issue.
pub(super) fn long_polling_warning(config: &Config) -> Option<String> {
    let runners = config.runners();
    let concurrent = config.concurrent();
    let mut issues = Vec::new();
    let mut advice = Vec::new();
    if concurrent < runners.len() as i64 {
        issues.push(format!(
            "Worker starvation bottleneck: 'concurrent' setting ({concurrent}) is less than number of runners ({})",
            runners.len()
        ));
        advice.push(format!(
            "Increase 'concurrent' to at least {} (current: {concurrent})",
            runners.len() + 1
        ));
    }
    let single = runners
        .iter()
        .filter(|runner| runner.request_concurrency == 1)
        .count();
    if single > 0 {
        issues.push(format!(
            "Request bottleneck: {single} runners have request_concurrency=1, causing job delays during long polling"
        ));
        advice.push(format!(
            "Increase 'request_concurrency' to 2-4 for {single} runners currently using request_concurrency=1"
        ));
    }
    let tight = runners
        .iter()
        .filter(|runner| runner.request_concurrency == 1 && (1..=2).contains(&runner.limit))
        .count();
    if tight > 0 {
        issues.push(format!(
            "Build limit bottleneck: {tight} runners have low 'limit' settings (\u{2264}2) with request_concurrency=1"
        ));
        advice.push(format!(
            "For {tight} runners with low limits: either increase 'limit' to 5+ or increase 'request_concurrency' to 2+"
        ));
    }
    if issues.is_empty() {
        return None;
    }
    let mut text = String::from("CONFIGURATION: Long polling issues detected.\nIssues found:\n");
    for issue in issues {
        text.push_str("  - ");
        text.push_str(&issue);
        text.push('\n');
    }
    text.push_str("This can cause job delays matching your GitLab instance's long polling timeout.\nRecommended solutions:\n");
    for (number, advice) in advice.iter().enumerate() {
        text.push_str("  ");
        text.push_str(&(number + 1).to_string());
        text.push_str(". ");
        text.push_str(advice);
        text.push('\n');
    }
    if runners.iter().any(is_adaptive) {
        text.push_str("Note: The 'FF_USE_ADAPTIVE_REQUEST_CONCURRENCY' feature flag can help automatically adjust request_concurrency based on workload.\n");
    }
    text.push_str("This message will be printed each time the configuration is reloaded if the issues persist.\nSee documentation: https://docs.gitlab.com/runner/configuration/advanced-configuration.html#long-polling-issues");
    Some(text)
}

/// `Added job to processing list` or `Removed job from processing list`, with the job's fields.
pub(super) fn job_list(text: &'static str, payload: &JobPayload, builds: usize, max_builds: i64) {
    let info = payload.job_info.get();
    let repo_url = payload.git_info.get().repo_url.get();
    let in_queue = info.time_in_queue_seconds.get();
    tracing::info!(
        builds,
        max_builds,
        repo_url = without_credentials(&repo_url),
        queue_depth = info.queue_depth.get(),
        queue_size = info.queue_size.get(),
        runner_uuid = payload.runner_info.get().uuid.as_str(),
        time_in_queue_seconds = in_queue as i64,
        "{text}"
    );
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Goal: the warning of every recorded configuration, or none, letter for letter.
    ///
    /// Proves RUN-SCH-15.
    #[test]
    fn the_recorded_warnings() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/recordings");
        let (mut with, mut without) = (0, 0);
        for recording in std::fs::read_dir(folder).unwrap() {
            let recording = recording.unwrap().path();
            let Ok(log) = std::fs::read(recording.join("runner.log")) else {
                continue;
            };
            let log = String::from_utf8_lossy(&log);
            let name = recording.display();
            let Ok(config) = std::fs::read_to_string(recording.join("config.before.toml")) else {
                continue;
            };
            let Ok(config) = Config::parse_with(&config, &|_| None) else {
                continue;
            };
            // Of several commands, the first may have changed the file; other formats and levels say
            // nothing comparable.
            let Some((start, _)) = log.split_once("Initializing executor providers ") else {
                continue;
            };
            let loaded = "Configuration loaded                              \x1b[0;m";
            if !start.starts_with("### gitlab-runner run ") || !start.contains(loaded) {
                continue;
            }
            let recorded = start
                .split_once("WARNING: CONFIGURATION: ")
                .and_then(|(_, text)| text.split_once("\x1b[0;m"))
                .map(|(text, _)| format!("CONFIGURATION: {text}"));
            assert_eq!(long_polling_warning(&config), recorded, "{name}");
            if recorded.is_some() {
                with += 1;
            } else {
                without += 1;
            }
        }
        assert!(with >= 50 && without >= 3, "{with} with, {without} without");
    }

    /// Goal: which configurations have which issue; the advice names the numbers of the configuration.
    ///
    /// Proves RUN-SCH-15.
    #[test]
    fn which_configurations_have_issues() {
        let entry = |more: &str| format!("[[runners]]\nurl='http://h'\ntoken='t'\n{more}\n");
        for (concurrent, entries, starved, single, tight) in [
            (1, vec![""], false, 1, 0),
            (1, vec!["", ""], true, 2, 0),
            (2, vec!["", ""], false, 2, 0),
            (2, vec!["request_concurrency = 2"], false, 0, 0),
            (
                1,
                vec!["request_concurrency = 2", "request_concurrency = 3"],
                true,
                0,
                0,
            ),
            (4, vec!["limit = 1", "limit = 2", "limit = 3"], false, 3, 2),
            (4, vec!["limit = 1\nrequest_concurrency = 2"], false, 0, 0),
            (4, vec!["request_concurrency = 0"], false, 1, 0),
        ] {
            let entries: Vec<String> = entries.into_iter().map(entry).collect();
            let file = format!("concurrent = {concurrent}\n{}", entries.concat());
            let config = Config::parse_with(&file, &|_| None).unwrap();
            let text = long_polling_warning(&config).unwrap_or_default();
            assert_eq!(
                text.contains("Worker starvation bottleneck"),
                starved,
                "{file}"
            );
            let says = |count: usize, what: &str| {
                assert_eq!(text.contains(what), count > 0, "{file}: {text}");
            };
            says(single, &format!("Request bottleneck: {single} runners"));
            says(tight, &format!("Build limit bottleneck: {tight} runners"));
            assert_eq!(text.is_empty(), !starved && single == 0, "{file}");
        }
    }
}
