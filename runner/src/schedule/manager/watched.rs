//! An executor whose stages are shown on the debug page and measured.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::transport::BoxFuture;
use crate::executor::{
    Environment, Executor, ExecutorError, ManagerLines, StageCommand, StageOutput, Terminal,
};
use crate::metrics::{EntryLabels, ExecutorStage, JobWatch, Metrics};

/// Passes everything on to another executor, and notes where the job is.
pub(super) struct Watched {
    inner: Box<dyn Executor>,
    watch: Arc<JobWatch>,
    /// Where the time of each stage is counted (`FF_EXPORT_HIGH_CARDINALITY_METRICS`).
    stages: Option<(Metrics, EntryLabels)>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl Watched {
    pub(super) fn new(
        inner: Box<dyn Executor>,
        watch: Arc<JobWatch>,
        stages: Option<(Metrics, EntryLabels)>,
    ) -> Self {
        Watched {
            inner,
            watch,
            stages,
        }
    }
}

impl Executor for Watched {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn environment(&self) -> Environment {
        self.inner.environment()
    }

    fn prepare<'a>(
        &'a mut self,
        lines: &'a dyn ManagerLines,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.watch.stage("prepare_executor");
        self.watch.executor_stage(ExecutorStage::Prepare);
        self.inner.prepare(lines, cancel)
    }

    fn run<'a>(
        &'a mut self,
        command: StageCommand,
        output: StageOutput,
        lines: &'a dyn ManagerLines,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), ExecutorError>> {
        let stage = command.stage.name();
        self.watch.stage(&stage);
        let begin = Instant::now();
        let running = self.inner.run(command, output, lines, cancel);
        let Some((metrics, entry)) = &self.stages else {
            return running;
        };
        Box::pin(async move {
            let result = running.await;
            metrics.stage_ended(entry, &stage, begin.elapsed());
            result
        })
    }

    fn terminal(&self) -> Option<Arc<dyn Terminal>> {
        self.inner.terminal()
    }

    fn finish(&mut self) -> BoxFuture<'_, ()> {
        self.watch.executor_stage(ExecutorStage::Finish);
        self.inner.finish()
    }

    fn cleanup(&mut self) -> BoxFuture<'_, ()> {
        self.watch.executor_stage(ExecutorStage::Cleanup);
        self.inner.cleanup()
    }
}
