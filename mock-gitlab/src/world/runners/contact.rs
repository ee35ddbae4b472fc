//! Heartbeats and machines (wire.md 7.2).

use jiff::Timestamp;
use protocol::info::Info;
use rand::RngExt;

use crate::world::RunnerId;
use crate::world::core::World;
use crate::world::deadline::after;
use crate::world::state::Manager;
use crate::world::text::Text;

/// Machine of runners that send no `system_id`.
const LEGACY_SYSTEM_ID: &str = "<legacy>";
/// A runner of which nothing was heard for this time is stale, s.
const STALE_S: i64 = 7 * 86_400;
/// Details of a machine are stored at most this often, s: at random in this range.
const STORE_DETAILS_EVERY_S: std::ops::Range<i64> = 2400..3300;

/// Whether a runner or machine is there (queueing.md 3); informational only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunnerStatus {
    /// Heard of less than 2 h ago.
    Online,
    /// Heard of, but not lately.
    Offline,
    /// Neither made nor heard of in the last 7 days.
    Stale,
    /// Never heard of.
    NeverContacted,
}

impl RunnerStatus {
    /// GitLab's name.
    pub fn as_str(self) -> &'static str {
        match self {
            RunnerStatus::Online => "online",
            RunnerStatus::Offline => "offline",
            RunnerStatus::Stale => "stale",
            RunnerStatus::NeverContacted => "never_contacted",
        }
    }

    /// Of something made and last heard of at these times.
    pub fn at(now: Timestamp, created: Timestamp, contacted: Option<Timestamp>) -> RunnerStatus {
        let last = contacted.map_or(created, |contacted| contacted.max(created));
        let since = |time| crate::world::deadline::seconds_between(time, now);
        if since(last) >= STALE_S {
            return RunnerStatus::Stale;
        }
        match contacted {
            None => RunnerStatus::NeverContacted,
            Some(contacted) if since(contacted) < crate::world::sweep::ONLINE_S => {
                RunnerStatus::Online
            }
            Some(_) => RunnerStatus::Offline,
        }
    }
}

impl World {
    /// The runner was heard of, by no machine in particular.
    pub(in crate::world) fn touch_runner(&mut self, now: Timestamp, id: RunnerId) {
        if let Some(entry) = self.runners.get_mut(&id) {
            entry.record.contacted_at = Some(now);
        }
    }

    /// A machine of the runner was heard of: makes it if it is new, and stores what it says about
    /// itself when that is due. Returns its `system_id`. No allocation in the common case.
    pub(in crate::world) fn touch_manager(
        &mut self,
        now: Timestamp,
        id: RunnerId,
        system_id: &str,
        info: Option<&Info>,
        peer: &str,
    ) -> Text {
        let system_id = if system_id.is_empty() {
            LEGACY_SYSTEM_ID
        } else {
            system_id
        };
        let Some(entry) = self.runners.get_mut(&id) else {
            return Text::from(system_id);
        };
        entry.record.contacted_at = Some(now);
        if !entry.record.managers.contains_key(system_id) {
            let manager = Manager {
                id: self.next.manager,
                system_id: Text::from(system_id),
                contacted_at: now,
                created_at: now,
                version: String::new(),
                revision: String::new(),
                platform: String::new(),
                architecture: String::new(),
                executor: String::new(),
                gpus: String::new(),
                labels: std::collections::BTreeMap::new(),
                features: protocol::Features::default(),
                ip_address: peer.to_owned(),
                details_stored_until: now,
            };
            self.next.manager += 1;
            entry
                .record
                .managers
                .insert(manager.system_id.clone(), manager);
        }
        let Some(manager) = entry.record.managers.get_mut(system_id) else {
            return Text::from(system_id);
        };
        manager.contacted_at = now;
        if let Some(info) = info.filter(|_| now >= manager.details_stored_until) {
            let again = self.random.random_range(STORE_DETAILS_EVERY_S);
            manager.details_stored_until = after(now, again);
            store_details(manager, info, peer);
        }
        manager.system_id.clone()
    }
}

fn store_details(manager: &mut Manager, info: &Info, peer: &str) {
    manager.version.clone_from(&info.version);
    manager.revision.clone_from(&info.revision);
    manager.platform.clone_from(&info.platform);
    manager.architecture.clone_from(&info.architecture);
    manager.executor.clone_from(&info.executor);
    manager.gpus.clone_from(&info.config.gpus);
    manager.labels.clone_from(&info.labels);
    manager.features = info.features;
    peer.clone_into(&mut manager.ip_address);
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn states_of_runners() {
        let now = Timestamp::constant(1_700_000_000, 0);
        let ago = |seconds| now - SignedDuration::from_secs(seconds);
        let (hour, day) = (3600, 86_400);
        for (created, contacted, expected) in [
            (0, None, "never_contacted"),
            (7 * day - 1, None, "never_contacted"),
            (7 * day, None, "stale"),
            (30 * day, Some(2 * hour - 1), "online"),
            (30 * day, Some(2 * hour), "offline"),
            (30 * day, Some(7 * day - 1), "offline"),
            (30 * day, Some(7 * day), "stale"),
        ] {
            let status = RunnerStatus::at(now, ago(created), contacted.map(ago));
            assert_eq!(status.as_str(), expected, "{created} {contacted:?}");
        }
    }
}
