//! What a job of a scenario does, in the two forms that the two clocks need.
//!
//! | told | real time: bash | virtual time: scripted executor |
//! |---|---|---|
//! | `output`, `every` | `echo`, `sleep` | lines at their times |
//! | `takes`, `exit` | `sleep`, `exit` | stage of that length and code |
//! | `held` | waits for a file in the gate folder | waits for its release |
//! | `ignores_stop` | `trap '' TERM` | goes on after the stop |

use std::path::Path;
use std::time::Duration;

use runner::executor::scripted::{Release, ScriptedJob, ScriptedStage, StageEnd};

use crate::scenario::world_format::JobFormat;

/// How often a held job looks for its gate file, s.
const GATE_LOOK_S: &str = "0.02";

/// File that lets a held job end; it holds the exit code.
pub fn gate_file(gates: &Path, job: i64) -> std::path::PathBuf {
    gates.join(job.to_string())
}

/// The job's script for bash.
pub fn bash(job: &JobFormat, id: i64, gates: &Path) -> Vec<String> {
    if let Some(script) = &job.script {
        return script.clone();
    }
    let mut lines = Vec::new();
    if job.ignores_stop.is_some() {
        lines.push("trap '' TERM".to_owned());
    }
    let every = job.every.0;
    for (index, line) in job.output.iter().enumerate() {
        if index > 0 && !every.is_zero() {
            lines.push(sleep(every));
        }
        lines.push(format!("echo {}", quote(line)));
    }
    if !job.takes.0.is_zero() {
        lines.push(sleep(job.takes.0));
    }
    if job.held {
        let gate = quote(&gate_file(gates, id).display().to_string());
        lines.push(format!(
            "until [ -e {gate} ]; do sleep {GATE_LOOK_S}; done; exit \"$(cat {gate})\""
        ));
    } else if job.exit != 0 {
        lines.push(format!("exit {}", job.exit));
    }
    if lines.is_empty() {
        lines.push("true".to_owned());
    }
    lines
}

fn sleep(time: Duration) -> String {
    format!("sleep {}", time.as_secs_f64())
}

/// `text` as one word of a shell.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The job's `after_script` for bash.
pub fn bash_after(job: &JobFormat) -> Vec<String> {
    if !job.after_script.is_empty() {
        return job.after_script.clone();
    }
    job.after
        .iter()
        .map(|line| format!("echo {}", quote(line)))
        .collect()
}

/// The job for the scripted executor.
pub fn scripted(job: &JobFormat, release: &Release) -> ScriptedJob {
    let mut stage = ScriptedStage {
        stop_delay: job.ignores_stop.unwrap_or_default().0,
        ..ScriptedStage::default()
    };
    let mut after = Duration::ZERO;
    for (index, line) in job.output.iter().enumerate() {
        if index > 0 {
            after += job.every.0;
        }
        stage = stage.with_line(after, line);
    }
    stage.end = if job.held {
        StageEnd::Released(release.clone())
    } else {
        StageEnd::After {
            duration: after + job.takes.0,
            exit_code: job.exit,
        }
    };
    let mut plan = ScriptedJob::default().with_stage("step_script", stage);
    if !job.after.is_empty() {
        let stage = job
            .after
            .iter()
            .fold(ScriptedStage::default(), |stage, line| {
                stage.with_line(Duration::ZERO, line)
            });
        plan = plan.with_stage("after_script", stage);
    }
    plan
}

/// Why a job cannot be played in virtual time.
pub fn refuses_virtual(job: &JobFormat, id: i64) -> Option<String> {
    let script = job.script.is_some() || !job.after_script.is_empty();
    script.then(|| {
        format!(
            "job {id} has a real `script`, which needs processes: tell it with `output`, `takes`, \
             `exit` or `held`, or play it with `--clock real`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::time::Time;

    #[test]
    fn a_told_job_is_bash() {
        let job = JobFormat {
            output: vec!["it's".to_owned(), "b".to_owned()],
            every: Time(Duration::from_millis(1500)),
            takes: Time(Duration::from_secs(2)),
            exit: 3,
            ..JobFormat::default()
        };
        assert_eq!(
            bash(&job, 1, Path::new("/g")),
            [
                r"echo 'it'\''s'",
                "sleep 1.5",
                "echo 'b'",
                "sleep 2",
                "exit 3"
            ]
        );
        let held = JobFormat {
            held: true,
            ..JobFormat::default()
        };
        assert_eq!(
            bash(&held, 7, Path::new("/g")),
            ["until [ -e '/g/7' ]; do sleep 0.02; done; exit \"$(cat '/g/7')\""]
        );
    }
}
