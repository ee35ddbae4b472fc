//! Log patches against a model of the server's rule.

use jiff::Timestamp;
use mock_gitlab::world::{
    JobDefinition, NewJob, NewProject, NewRunner, PollAnswer, Settings, World,
};
use protocol::JobRequest;
use protocol::trace::content_range_start;
use std::sync::Arc;

const TOKEN: &str = "glrt-t1_AbCdEfGhIjKlMnOpQrSt";
const PEER: &str = "127.0.0.1";

/// Each patch takes three bytes: how the start is chosen, an offset, and a length. Whatever comes, the
/// stored log, the status and the range are those of wire.md 4.3.
pub fn trace_patch(data: &[u8]) {
    let now = Timestamp::UNIX_EPOCH;
    let settings = Settings {
        runner_jobs_patch_trace_api_limit: 0,
        ..Settings::default()
    };
    let mut world = World::new(settings, 7);
    let project = world
        .add_project(
            now,
            NewProject {
                path: "demo".to_owned(),
                ..NewProject::default()
            },
        )
        .expect("an empty world takes a project");
    let runner = NewRunner {
        token: Some(TOKEN.to_owned()),
        ..NewRunner::default()
    };
    world.add_runner(now, runner).expect("and a runner");
    world
        .add_job(
            now,
            NewJob::pending(project, Arc::new(JobDefinition::default())),
        )
        .expect("and a job");
    let poll = JobRequest {
        token: TOKEN.to_owned(),
        system_id: "s_0123456789ab".to_owned(),
        ..JobRequest::default()
    };
    let PollAnswer::Job(job) = world.request_job(now, &poll, PEER) else {
        panic!("the only job is given");
    };

    let mut stored: Vec<u8> = Vec::new();
    for (number, patch) in data.chunks_exact(3).take(200).enumerate() {
        let (kind, offset, length) = (patch[0], usize::from(patch[1]), usize::from(patch[2]));
        let start = match kind % 4 {
            0 => stored.len(),
            1 => stored.len().saturating_sub(offset),
            2 => stored.len() + offset,
            _ => offset,
        };
        let end = start + length;
        let range = match kind / 4 % 4 {
            0 => format!("{start}-{end}"),
            1 => format!("{start}-0/9"),
            2 => format!("{start}-"),
            _ => format!(" {start}-{}", end.wrapping_sub(1)),
        };
        assert_eq!(content_range_start(&range), start as u64, "{range}");
        let body = vec![b'a' + (number % 26) as u8; length];
        let answer = world.patch_trace(
            now,
            job.id.get(),
            Some(job.token.as_str()),
            Some(&range),
            false,
            &body,
            PEER,
        );
        if stored.len() == start {
            stored.extend_from_slice(&body);
        }
        match answer {
            Ok(answer) => {
                assert_eq!(stored.len(), end, "{range} accepted");
                assert_eq!(answer.stored, end as u64);
            }
            Err(error) => {
                assert_eq!(error.status, 416, "{range}");
                assert_ne!(stored.len(), end, "{range} refused");
                assert_eq!(error.range, Some(stored.len() as u64), "{range}");
            }
        }
    }
    assert_eq!(world.trace(job.id.get()), stored);
    assert_eq!(
        protocol::trace::checksum(world.trace_crc32(job.id.get())),
        protocol::trace::checksum_of(&stored)
    );
}
