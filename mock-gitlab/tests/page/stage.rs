//! A server with something going on.

use mock_gitlab::MockGitlab;
use mock_gitlab::library::{JobHandle, RunnerHandle};
use mock_gitlab::world::PollAnswer;
use protocol::{FailureReason, JobRequest};

/// Text that would be dangerous in HTML.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>";

pub(crate) struct Stage {
    pub(crate) gitlab: MockGitlab,
    pub(crate) running: JobHandle,
    pub(crate) hostile: JobHandle,
}

/// Lets the runner take its next job, which must be this one.
fn take(gitlab: &MockGitlab, runner: &RunnerHandle, job: &JobHandle) {
    let request = JobRequest {
        token: runner.token(),
        system_id: "s_stage0000001".to_owned(),
        ..JobRequest::default()
    };
    let taken = gitlab.act(
        |world, now| match world.request_job(now, &request, "127.0.0.1") {
            PollAnswer::Job(payload) => payload.id.get(),
            other => panic!("no job: {other:?}"),
        },
    );
    assert_eq!(taken, job.id());
}

/// The runner writes to the log of its job.
pub(crate) fn write(gitlab: &MockGitlab, job: &JobHandle, text: &str) {
    let start = job.trace().len();
    let range = format!("{start}-{}", start + text.len() - 1);
    gitlab.act(|world, now| {
        let token = world
            .job(job.id())
            .and_then(|job| job.token())
            .map(str::to_owned);
        let body = text.as_bytes();
        world
            .patch_trace(
                now,
                job.id(),
                token.as_deref(),
                Some(&range),
                false,
                body,
                "127.0.0.1",
            )
            .expect("the log is taken");
    });
}

/// As the official runner writes a log (escape sequences and all).
const LOG: &str = "Running with gitlab-runner 19.4.0\n  on demo abc, system ID: s_stage0000001\nsection_start:1700000000:prepare_executor[hide_duration=true,collapsed=true]\r\x1b[0K\x1b[0K\x1b[36;1mPreparing the \"shell\" executor\x1b[0;m\nUsing Shell (bash) executor...\nsection_end:1700000001:prepare_executor\r\x1b[0Ksection_start:1700000001:get_sources\r\x1b[0K\x1b[0K\x1b[36;1mGetting source from Git repository\x1b[0;m\nFetching changes with git depth set to 20...\nChecking out 8a677a74 as detached HEAD (ref is main)...\nsection_end:1700000003:get_sources\r\x1b[0Ksection_start:1700000003:step_script\r\x1b[0K\x1b[0K\x1b[36;1mExecuting \"step_script\" stage of the job script\x1b[0;m\n\x1b[32;1m$ cargo test\x1b[0;m\n   \x1b[1m\x1b[32mCompiling\x1b[0m demo v0.1.0\n\x1b[1m\x1b[33mwarning\x1b[0m\x1b[1m: unused variable: `x`\x1b[0m\n\x1b[1m\x1b[38;5;12m  |\x1b[0m\n\x1b[1m\x1b[38;5;12m4 |\x1b[0m     let x = 1;\n\x1b[31mtest slow ... FAILED\x1b[0m \x1b[41;37m panic \x1b[0m\nDownloading  10%\rDownloading  55%\rDownloading 100%\n";

impl Stage {
    pub(crate) fn new() -> Stage {
        let gitlab = MockGitlab::start().expect("a server");
        let demo = gitlab.project("group/demo").create().expect("a project");
        let site = gitlab.project("tools/site").create().expect("a project");
        let runner = |name: &str, tag: &str| {
            let builder = gitlab
                .runner()
                .tag(tag)
                .with(|new| name.clone_into(&mut new.description));
            builder.create().expect("a runner")
        };
        let builder = runner("builder", "linux");
        let docker = runner("docker-1", "docker");
        let paused = gitlab.runner().project(&site).with(|new| {
            "spare".clone_into(&mut new.description);
            new.paused = true;
        });
        paused.create().expect("a runner");
        let pipeline = demo
            .pipeline()
            .job("build", |job| job.stage("build"))
            .job("lint", |job| job.stage("build").tag("docker"))
            .job("test", |job| job.tag("linux"))
            .job("deploy", |job| job.stage("deploy"))
            .create()
            .expect("a pipeline");
        let job = |name: &str| pipeline.job(name).expect("a job");
        let finish = |job: &JobHandle, failure| {
            gitlab.act(|world, now| world.finish_job(now, job.id(), failure).expect("it ran"));
        };
        take(&gitlab, &builder, &job("build"));
        take(&gitlab, &docker, &job("lint"));
        finish(&job("build"), None);
        finish(&job("lint"), None);
        let broken = demo.job("broken").create().expect("a job");
        take(&gitlab, &builder, &job("test"));
        take(&gitlab, &docker, &broken);
        write(&gitlab, &broken, "$ false\n");
        finish(&broken, Some((FailureReason::ScriptFailure, Some(1))));
        let hostile = site.job(HOSTILE).create().expect("a job");
        take(&gitlab, &docker, &hostile);
        write(
            &gitlab,
            &hostile,
            &format!(
                "{HOSTILE}\x1b[31m{HOSTILE}\x1b]0;{HOSTILE}\x07\nsection_start:1:a[{HOSTILE}]\r{HOSTILE}\n"
            ),
        );
        for name in ["pages", "images", "links"] {
            site.job(name).create().expect("a job");
        }
        demo.job("gpu")
            .tag("gpu")
            .tag("linux")
            .create()
            .expect("a job");
        demo.job("again").create().expect("a job");
        site.job("manual")
            .with(|job| job.when = mock_gitlab::world::definition::When::Manual)
            .create()
            .expect("a job");
        let running = job("test");
        write(&gitlab, &running, LOG);
        Stage {
            gitlab,
            running,
            hostile,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gitlab.url())
    }
}
