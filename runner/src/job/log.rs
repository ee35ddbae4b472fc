use std::fmt;

use crate::executor::{ManagerLines, StageOutput};

/// The write side of a job's log, as the life of a job uses it (runner.md 9).
pub trait LogSink: ManagerLines + fmt::Debug {
    /// A line `WARNING: <text>` about an attempt that failed. The process log gets the error too.
    fn attempt_failed(&self, text: &str, error: &dyn fmt::Display);
    /// The title line of a stage.
    fn title(&self, text: &str);
    /// Marks the start of a section.
    fn section_start(&self, name: &str);
    /// Marks the end of a section.
    fn section_end(&self, name: &str);
    /// Streams for the output of one stage.
    fn stage_output(&self) -> StageOutput;
    /// The last line: `Job succeeded`.
    fn result_success(&self, text: &str);
    /// The last line: `ERROR: Job failed: …`, which follows the prefix `ERROR: `.
    fn result_failure(&self, text: &str);
}
