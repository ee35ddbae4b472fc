use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::job::{ScriptedJob, ScriptedStage, StageEnd};
use crate::client::transport::BoxFuture;
use crate::executor::{
    Environment, ErrorKind, Executor, ExecutorError, ManagerLines, StageCommand, StageOutput,
};

/// Runs nothing and takes what happens from a script. All waits are tokio's.
#[derive(Debug)]
pub struct ScriptedExecutor {
    job: ScriptedJob,
    prepared: usize,
    runs: BTreeMap<String, usize>,
    environment: Environment,
}

impl ScriptedExecutor {
    /// An executor that plays `job`.
    pub fn new(job: ScriptedJob) -> Self {
        ScriptedExecutor {
            job,
            prepared: 0,
            runs: BTreeMap::new(),
            environment: Environment {
                builds_dir: Some("/builds".to_owned()),
                cache_dir: Some("/cache".to_owned()),
                shared_builds_dir: true,
                shared_environment: true,
                shell: "bash".to_owned(),
                runner_command: "gitlab-runner".to_owned(),
                ..Environment::default()
            },
        }
    }

    /// The stage's next attempt; the last one repeats.
    fn next(&mut self, section: &str) -> ScriptedStage {
        let run = self.runs.entry(section.to_owned()).or_default();
        let index = *run;
        *run += 1;
        let attempts = self.job.stages.get(section).map_or(&[][..], Vec::as_slice);
        attempts
            .get(index)
            .or(attempts.last())
            .cloned()
            .unwrap_or_default()
    }
}

/// Waits, but not longer than until `cancel`; whether it was cancelled.
async fn wait(duration: Duration, cancel: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = cancel.cancelled() => true,
        () = sleep(duration) => false,
    }
}

impl Executor for ScriptedExecutor {
    fn name(&self) -> &'static str {
        "shell"
    }

    fn environment(&self) -> Environment {
        self.environment.clone()
    }

    fn prepare<'a>(
        &'a mut self,
        lines: &'a dyn ManagerLines,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), ExecutorError>> {
        Box::pin(async move {
            let attempt = self.job.prepare.get(self.prepared).cloned();
            self.prepared += 1;
            let attempt = attempt.unwrap_or_default();
            if wait(attempt.duration, cancel).await {
                return Err(ExecutorError::stopped());
            }
            if let Some(error) = attempt.error {
                return Err(error);
            }
            lines.println("Using Shell (bash) executor...");
            Ok(())
        })
    }

    fn run<'a>(
        &'a mut self,
        command: StageCommand,
        mut output: StageOutput,
        _lines: &'a dyn ManagerLines,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), ExecutorError>> {
        let stage = self.next(&command.stage.name());
        Box::pin(async move {
            let start = Instant::now();
            let play = async {
                let ended = async {
                    match &stage.end {
                        StageEnd::After {
                            duration,
                            exit_code,
                        } => {
                            sleep_until(start + *duration).await;
                            exit(*exit_code)
                        }
                        StageEnd::Error { duration, error } => {
                            sleep_until(start + *duration).await;
                            Err(error.clone())
                        }
                        StageEnd::Released(release) => exit(release.released().await),
                    }
                };
                tokio::pin!(ended);
                for piece in &stage.output {
                    tokio::select! {
                        biased;
                        () = sleep_until(start + piece.after) => {}
                        result = &mut ended => return result,
                    }
                    let sink = if piece.stderr {
                        &mut output.err
                    } else {
                        &mut output.out
                    };
                    sink.write(&piece.bytes);
                }
                ended.await
            };
            let stopped = tokio::select! {
                biased;
                () = cancel.cancelled() => None,
                result = play => Some(result),
            };
            if let Some(result) = stopped {
                return result;
            }
            sleep(stage.stop_delay).await;
            Err(ExecutorError {
                // What the shell's own trap makes of SIGTERM.
                exit_code: 1,
                message: "exit status 1".to_owned(),
                kind: ErrorKind::Stopped,
            })
        })
    }
}

fn exit(code: i32) -> Result<(), ExecutorError> {
    match code {
        0 => Ok(()),
        code => Err(ExecutorError::script(code, format!("exit status {code}"))),
    }
}
