use std::time::Duration;

use super::go_duration;

/// Timeout of a job whose payload gives none (RUN-JOB-14).
const DEFAULT_JOB_TIMEOUT: Duration = Duration::from_hours(2);
/// Limit of after_script (RUN-JOB-11).
const DEFAULT_AFTER_SCRIPT_TIMEOUT: Duration = Duration::from_mins(5);

/// Timeout of a whole job from `runner_info.timeout`, in seconds.
pub(super) fn job_timeout(seconds: i64) -> Duration {
    match u64::try_from(seconds) {
        Ok(seconds @ 1..) => Duration::from_secs(seconds),
        _ => DEFAULT_JOB_TIMEOUT,
    }
}

/// Limits of the scripts; `None`: only the job's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScriptLimits {
    pub(super) script: Option<Duration>,
    pub(super) after_script: Option<Duration>,
}

impl ScriptLimits {
    /// Reads `RUNNER_SCRIPT_TIMEOUT` and `RUNNER_AFTER_SCRIPT_TIMEOUT`; `remaining` is what is left of
    /// the job's time. Odd values add a warning and keep the default.
    pub(super) fn read(
        variable: impl Fn(&str) -> String,
        remaining: Duration,
        warnings: &mut Vec<String>,
    ) -> Self {
        let mut limit = |name: &str| {
            let text = variable(name);
            if text.is_empty() {
                return None;
            }
            match go_duration::parse(&text) {
                None => warnings.push(format!("Ignoring malformed {name} timeout: {text}")),
                Some(value) if value.negative => {
                    warnings.push(format!("Ignoring relative {name} timeout: {text}"));
                }
                Some(value) if value.amount > remaining => warnings.push(format!(
                    "{name} timeout is longer than job timeout. Setting to job timeout"
                )),
                Some(value) if value.amount.is_zero() => {}
                Some(value) => return Some(value.amount),
            }
            None
        };
        ScriptLimits {
            script: limit("RUNNER_SCRIPT_TIMEOUT"),
            after_script: limit("RUNNER_AFTER_SCRIPT_TIMEOUT")
                .or(Some(DEFAULT_AFTER_SCRIPT_TIMEOUT)),
        }
    }
}

/// `prepare_timeout` or `get_sources_timeout` of the configuration: `None` if it is the job's own.
pub(super) fn stage_limit(
    name: &str,
    configured: Duration,
    job: Duration,
    warnings: &mut Vec<String>,
) -> Option<Duration> {
    if configured.is_zero() {
        return None;
    }
    if configured > job {
        warnings.push(format!(
            "{name} timeout ({}) is longer than job timeout ({}). Setting to job timeout",
            go_duration::format(configured),
            go_duration::format(job)
        ));
        return None;
    }
    Some(configured)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves RUN-JOB-14.
    #[test]
    fn job_timeout_defaults_to_two_hours() {
        assert_eq!(job_timeout(0), Duration::from_hours(2));
        assert_eq!(job_timeout(-5), Duration::from_hours(2));
        assert_eq!(job_timeout(5), Duration::from_secs(5));
    }

    /// Proves RUN-JOB-11.
    #[test]
    fn script_limits() {
        let read = |script: &str, after: &str| {
            let mut warnings = Vec::new();
            let limits = ScriptLimits::read(
                |name| {
                    let after_script = name == "RUNNER_AFTER_SCRIPT_TIMEOUT";
                    if after_script { after } else { script }.to_owned()
                },
                Duration::from_mins(10),
                &mut warnings,
            );
            (limits.script, limits.after_script, warnings.len())
        };
        let five = Some(Duration::from_mins(5));
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(read("", ""), (None, five, 0));
        assert_eq!(read("3s", "1m"), (seconds(3), seconds(60), 0));
        assert_eq!(read("0", "0s"), (None, five, 0));
        assert_eq!(read(" 3s", "x"), (None, five, 2));
        assert_eq!(read("-3s", "-1m"), (None, five, 2));
        assert_eq!(read("11m", "11m"), (None, five, 2));
    }
}
