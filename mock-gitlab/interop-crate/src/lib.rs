//! A runner built with the published crate `gitlab-runner`, for tests of the mock server.
//!
//! It starts no processes: each line of a job's script is a command to [`Play`] itself.

use std::borrow::Cow;
use std::io::Read as _;
use std::sync::Arc;

use gitlab_runner::job::Job;
use gitlab_runner::{JobHandler, JobResult, Phase, UploadableFile, outputln};
use tokio::sync::{Notify, mpsc};

/// How a job went, as the handler saw it; sent when the crate cleans up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// Job.
    pub job: u64,
    /// The script came to its end.
    pub finished: bool,
}

/// A file for an artifact.
#[derive(Clone, Debug)]
pub struct TextFile {
    name: String,
    text: String,
}

#[async_trait::async_trait]
impl UploadableFile for TextFile {
    type Data<'a> = &'a [u8];

    fn get_path(&self) -> Cow<'_, str> {
        Cow::from(&self.name)
    }

    async fn get_data(&self) -> Result<&[u8], ()> {
        Ok(self.text.as_bytes())
    }
}

/// Plays one job.
///
/// | line | does |
/// |---|---|
/// | `print TEXT` | writes a line to the log |
/// | `show KEY` | writes a variable to the log, as the crate shows it |
/// | `file NAME TEXT` | makes a file for the artifacts |
/// | `read` | downloads the artifacts of the jobs before and writes them to the log |
/// | `hold` | waits until the test lets it go on |
/// | `chatter` | writes lines for ever |
/// | `fail` | fails |
pub struct Play {
    job: Job,
    files: Vec<TextFile>,
    go_on: Arc<Notify>,
    cleanups: mpsc::UnboundedSender<Cleanup>,
    finished: bool,
}

impl Play {
    /// A handler for `job`; `go_on` ends its `hold`, `cleanups` hears of its end.
    pub fn new(job: Job, go_on: Arc<Notify>, cleanups: mpsc::UnboundedSender<Cleanup>) -> Play {
        Play {
            job,
            files: Vec::new(),
            go_on,
            cleanups,
            finished: false,
        }
    }

    async fn command(&mut self, line: &str) -> JobResult {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "print" => outputln!("{}", rest),
            "show" => {
                if let Some(variable) = self.job.variable(rest) {
                    outputln!("{}={}", rest, variable);
                } else {
                    outputln!("{} is not there", rest);
                }
            }
            "file" => {
                let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
                self.files.push(TextFile {
                    name: name.to_owned(),
                    text: text.to_owned(),
                });
            }
            "read" => self.read().await?,
            "hold" => self.go_on.notified().await,
            "chatter" => loop {
                outputln!("still here");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            },
            _ => {
                outputln!("cannot do `{}`", line);
                return Err(());
            }
        }
        Ok(())
    }

    async fn read(&self) -> JobResult {
        for dependency in self.job.dependencies() {
            let artifact = dependency.download().await.map_err(|error| {
                outputln!("{}: {}", dependency.name(), error);
            })?;
            let Some(mut artifact) = artifact else {
                outputln!("{} left nothing", dependency.name());
                continue;
            };
            for index in 0..artifact.len() {
                let mut file = artifact.by_index(index).ok_or(())?;
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(|_| ())?;
                outputln!("{}: {}: {}", dependency.name(), file.name(), text);
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl JobHandler<TextFile> for Play {
    async fn step(&mut self, script: &[String], phase: Phase) -> JobResult {
        for line in script {
            self.command(line).await?;
        }
        self.finished |= phase == Phase::Script;
        Ok(())
    }

    async fn get_uploadable_files(
        &mut self,
    ) -> Result<Box<dyn Iterator<Item = TextFile> + Send>, ()> {
        Ok(Box::new(self.files.clone().into_iter()))
    }

    async fn cleanup(&mut self) {
        // The test may be over.
        let _ = self.cleanups.send(Cleanup {
            job: self.job.id(),
            finished: self.finished,
        });
    }
}
