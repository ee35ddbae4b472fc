//! Whether a value can be a world: what other code takes for granted of ids, orders and references.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::{SnapshotError, WorldSnapshot};
use crate::world::admin::check_path;
use crate::world::artifacts::format_of;
use crate::world::text::Text;

/// Refuses what cannot be, and names it.
pub(super) fn check(snapshot: &WorldSnapshot) -> Result<(), SnapshotError> {
    let next = &snapshot.next;
    let groups = ids("groups", next.group, snapshot.groups.iter().map(|it| it.id))?;
    let projects = ids(
        "projects",
        next.project,
        snapshot.projects.iter().map(|it| it.id),
    )?;
    let users = ids("users", next.user, snapshot.users.iter().map(|it| it.id))?;
    let runners = snapshot.runners.iter().map(|it| it.record.id);
    ids("runners", next.runner, runners)?;
    let pipelines = snapshot.pipelines.iter().map(|it| it.id);
    let pipelines = ids("pipelines", next.pipeline, pipelines)?;
    let jobs = ids("jobs", next.job, snapshot.jobs.iter().map(|it| it.id))?;
    let project = |what: &str, id| known(what, "project", &projects, id);
    let job = |what: &str, id| known(what, "job", &jobs, id);

    paths(snapshot)?;
    for it in &snapshot.groups {
        for above in &*it.traversal_ids {
            known("groups", "group", &groups, *above)?;
        }
    }
    for group in snapshot.projects.iter().filter_map(|it| it.group) {
        known("projects", "group", &groups, group)?;
    }
    for user in snapshot.personal_access_tokens.values() {
        known("personal_access_tokens", "user", &users, *user)?;
    }
    for it in &snapshot.runners {
        ascending("runners", "tags", &it.record.tags)?;
        ascending("runners", "projects", &it.record.projects)?;
    }
    for it in &snapshot.pipelines {
        project("pipelines", it.project)?;
        ascending("pipelines", "jobs", &it.jobs)?;
        for id in &it.jobs {
            job("pipelines", *id)?;
        }
    }
    for it in &snapshot.jobs {
        project("jobs", it.project)?;
        if let Some(pipeline) = it.pipeline {
            known("jobs", "pipeline", &pipelines, pipeline)?;
        }
    }
    for it in &snapshot.queue {
        job("queue", it.job)?;
        ascending("queue", "tags", &it.tags)?;
    }
    for it in &snapshot.running {
        job("running", it.job)?;
    }
    for it in &snapshot.logs {
        job("logs", it.job)?;
    }
    for it in &snapshot.artifacts {
        let (id, artifact) = (it.job, &it.artifact);
        // Both become names of files.
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let sha256 = artifact.sha256.len() == 64 && artifact.sha256.bytes().all(hex);
        if format_of(&artifact.file_type).is_none() || !sha256 {
            return broken(format!(
                "artifacts: job {id}: file_type or sha256 cannot be"
            ));
        }
    }
    events(snapshot)
}

fn broken<T>(text: String) -> Result<T, SnapshotError> {
    Err(SnapshotError::Broken(text))
}

/// The ids of a list: each one once, from 1 up to below the next one.
fn ids(
    what: &str,
    next: i64,
    ids: impl Iterator<Item = i64>,
) -> Result<BTreeSet<i64>, SnapshotError> {
    let mut known = BTreeSet::new();
    for id in ids {
        if !(1..next).contains(&id) {
            return broken(format!(
                "{what}: {id} is not from 1 up to below {next}, the next id"
            ));
        }
        if !known.insert(id) {
            return broken(format!("{what}: there are two with the id {id}"));
        }
    }
    Ok(known)
}

fn known(list: &str, what: &str, all: &BTreeSet<i64>, id: i64) -> Result<(), SnapshotError> {
    if all.contains(&id) {
        return Ok(());
    }
    broken(format!("{list}: there is no {what} {id}"))
}

fn ascending<T: PartialOrd>(list: &str, what: &str, values: &[T]) -> Result<(), SnapshotError> {
    if values.windows(2).all(|pair| pair[0] < pair[1]) {
        return Ok(());
    }
    broken(format!("{list}: {what} have to ascend"))
}

/// Paths become folders, and lead to one project each; tokens open one thing each.
fn paths(snapshot: &WorldSnapshot) -> Result<(), SnapshotError> {
    let groups = snapshot.groups.iter().map(|group| &group.full_path);
    let projects = snapshot.projects.iter().map(|project| &project.full_path);
    for path in groups.chain(projects.clone()) {
        if !path.split('/').all(|segment| check_path(segment).is_ok()) {
            return broken(format!("full_path `{path}` cannot be"));
        }
    }
    once("projects: full_path", projects)?;
    let tokens = snapshot.runners.iter().map(|it| &it.record.token);
    // A token is never shown.
    once("runners: token", tokens.map(Hidden))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Hidden<'a>(&'a Text);

impl Display for Hidden<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

fn once<T: Ord + Display>(
    what: &str,
    values: impl Iterator<Item = T>,
) -> Result<(), SnapshotError> {
    let mut seen = BTreeSet::new();
    for value in values {
        if seen.contains(&value) {
            return broken(format!("{what}: `{value}` is there twice"));
        }
        seen.insert(value);
    }
    Ok(())
}

/// Numbers without holes up to the newest one.
fn events(snapshot: &WorldSnapshot) -> Result<(), SnapshotError> {
    let events = &snapshot.events;
    let count = events.kept.len() as u64;
    let Some(before) = events.sequence.checked_sub(count) else {
        return broken(format!(
            "events: {count} are kept, and there were only {}",
            events.sequence
        ));
    };
    for (event, seq) in events.kept.iter().zip(before + 1..) {
        if event.seq != seq {
            return broken(format!("events: {} stands where {seq} belongs", event.seq));
        }
    }
    Ok(())
}
