//! Waiting for the world, instead of sleeping and hoping.

use std::time::Duration;

use super::error::WaitError;
use super::start::Shared;
use crate::world::World;

/// Longest wait.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until `condition` holds. The time runs on the server's own clock, so that a paused clock of
/// the caller does not end the wait at once.
pub(super) async fn until(
    shared: &Shared,
    what: &str,
    condition: impl Fn(&World) -> bool + Send + Sync + 'static,
) -> Result<(), WaitError> {
    let server = shared.clone();
    let wait = shared.runtime.spawn(async move {
        let mut changes = server.changes();
        let wait = async {
            loop {
                changes.mark_unchanged();
                if server.look(&condition) {
                    return;
                }
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(LIMIT, wait).await.is_ok()
    });
    if wait.await.unwrap_or(false) {
        return Ok(());
    }
    Err(WaitError {
        what: what.to_owned(),
        last: shared.look(summary),
        after: LIMIT,
    })
}

/// Jobs and their states, for a message.
fn summary(world: &World) -> String {
    let jobs: Vec<String> = world
        .jobs()
        .take(20)
        .map(|job| format!("job {} is {}", job.id, job.status))
        .collect();
    if jobs.is_empty() {
        "there are no jobs".to_owned()
    } else {
        jobs.join(", ")
    }
}
