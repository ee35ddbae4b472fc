use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use crate::executor::ExecutorError;

/// What a job of the scripted executor does, stage by stage.
#[derive(Clone, Debug, Default)]
pub struct ScriptedJob {
    /// Results of the attempts to prepare, in order; when they are used up, preparation works.
    pub prepare: Vec<ScriptedPrepare>,
    /// Attempts of each stage by its section name (`get_sources`, `step_script`, …), in order. The last
    /// one repeats; a stage that is not listed ends well at once without output.
    pub stages: BTreeMap<String, Vec<ScriptedStage>>,
}

/// One attempt to prepare the environment.
#[derive(Clone, Debug, Default)]
pub struct ScriptedPrepare {
    /// How long it takes.
    pub duration: Duration,
    /// How it fails, if it does.
    pub error: Option<ExecutorError>,
}

/// One run of one stage.
#[derive(Clone, Debug, Default)]
pub struct ScriptedStage {
    /// Output with the time since the stage began, in order.
    pub output: Vec<ScriptedOutput>,
    /// When the stage ends.
    pub end: StageEnd,
    /// How long the stage goes on after it was told to stop; its output ends at once.
    pub stop_delay: Duration,
}

/// Output of a scripted stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedOutput {
    /// Time since the stage began.
    pub after: Duration,
    /// Bytes, with their newline if there is one.
    pub bytes: Vec<u8>,
    /// Whether they go to standard error.
    pub stderr: bool,
}

/// When and how a scripted stage ends.
#[derive(Clone, Debug)]
pub enum StageEnd {
    /// After a time, with an exit code.
    After {
        /// Time since the stage began.
        duration: Duration,
        /// 0 = success.
        exit_code: i32,
    },
    /// After a time, with an error that is no exit code.
    Error {
        /// Time since the stage began.
        duration: Duration,
        /// The error.
        error: ExecutorError,
    },
    /// When somebody says so.
    Released(Release),
}

impl Default for StageEnd {
    fn default() -> Self {
        StageEnd::After {
            duration: Duration::ZERO,
            exit_code: 0,
        }
    }
}

/// Ends a scripted stage from outside. A clone is the same handle.
#[derive(Clone, Debug)]
pub struct Release(watch::Sender<Option<i32>>);

impl Default for Release {
    fn default() -> Self {
        Release(watch::Sender::new(None))
    }
}

impl Release {
    /// A handle that nobody used yet.
    pub fn new() -> Self {
        Release::default()
    }

    /// Lets the stage end with `exit_code`, now or as soon as it begins. The first call counts.
    pub fn finish(&self, exit_code: i32) {
        self.0.send_if_modified(|state| {
            let first = state.is_none();
            if first {
                *state = Some(exit_code);
            }
            first
        });
    }

    /// Waits for [`Release::finish`].
    pub async fn released(&self) -> i32 {
        let mut receiver = self.0.subscribe();
        loop {
            if let Some(code) = *receiver.borrow_and_update() {
                return code;
            }
            if receiver.changed().await.is_err() {
                // Cannot happen: `self` holds a sender.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl ScriptedJob {
    /// A job whose script takes `duration` and ends with `exit_code`.
    pub fn lasting(duration: Duration, exit_code: i32) -> Self {
        ScriptedJob::default().with_stage(
            "step_script",
            ScriptedStage {
                end: StageEnd::After {
                    duration,
                    exit_code,
                },
                ..ScriptedStage::default()
            },
        )
    }

    /// A job whose script ends when `release` says so.
    pub fn released_by(release: Release) -> Self {
        ScriptedJob::default().with_stage(
            "step_script",
            ScriptedStage {
                end: StageEnd::Released(release),
                ..ScriptedStage::default()
            },
        )
    }

    /// Adds one more attempt of a stage.
    #[must_use]
    pub fn with_stage(mut self, section: &str, stage: ScriptedStage) -> Self {
        self.stages
            .entry(section.to_owned())
            .or_default()
            .push(stage);
        self
    }

    /// Adds one more attempt to prepare.
    #[must_use]
    pub fn with_prepare(mut self, prepare: ScriptedPrepare) -> Self {
        self.prepare.push(prepare);
        self
    }
}

impl ScriptedStage {
    /// A stage that prints a line to standard output `after` its begin.
    #[must_use]
    pub fn with_line(mut self, after: Duration, line: &str) -> Self {
        self.output.push(ScriptedOutput {
            after,
            bytes: format!("{line}\n").into_bytes(),
            stderr: false,
        });
        self
    }
}
