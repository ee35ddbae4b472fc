//! Where a replay runs: names of the recording's place become names of this one, and back.

use jiff::{SignedDuration, Timestamp};

/// The folder that recorded sessions ran in.
pub const RECORDED_ROOT: &str = "/srv";
/// The server's host in recorded sessions.
pub const RECORDED_HOST: &str = "gitlab.example.com";

/// Where a replay runs, to be put back to where the recording ran.
#[derive(Clone, Debug)]
pub struct Place {
    /// Folder of the session, without a trailing slash.
    pub root: String,
    /// Host and port of the server.
    pub host: String,
    /// Name of the machine.
    pub machine: String,
    /// Further hosts of the recording that the server answers for, and what they are here: a host each,
    /// with its port here.
    pub hosts: Vec<(String, String)>,
    /// Fixed ports of the recording, and those that they are here.
    pub ports: Vec<(u16, u16)>,
    /// Recorded texts, and what they read here.
    pub rewrite: Vec<(String, String)>,
    /// How much later than the recording this is, for times that matter; `None` = times stay.
    pub shift: Option<SignedDuration>,
}

impl Place {
    /// Where the recordings were made.
    pub fn recorded() -> Place {
        Place {
            root: RECORDED_ROOT.to_owned(),
            host: RECORDED_HOST.to_owned(),
            machine: "vm".to_owned(),
            hosts: Vec::new(),
            ports: Vec::new(),
            rewrite: Vec::new(),
            shift: None,
        }
    }

    /// Names of this place, put back to those of the recording.
    pub fn restore(&self, text: &str) -> String {
        let mut text = text.replace(&self.host, RECORDED_HOST);
        // In regular expressions, as for git's `insteadOf`.
        text = text.replace(
            &self.host.replace('.', "\\."),
            &RECORDED_HOST.replace('.', "\\."),
        );
        for (recorded, here) in &self.hosts {
            text = text.replace(here, recorded);
        }
        for (recorded, here) in &self.ports {
            text = replace_port(&text, *here, *recorded);
        }
        for (recorded, here) in &self.rewrite {
            text = text.replace(here, recorded);
        }
        text.replace(&self.root, RECORDED_ROOT)
    }

    /// Recorded text as it must read in this place.
    pub fn transpose(&self, text: &str) -> String {
        let mut text = text.replace(&format!("{RECORDED_HOST}:80"), &self.host);
        for (recorded, here) in &self.rewrite {
            text = text.replace(recorded, here);
        }
        for (recorded, here) in &self.hosts {
            text = text.replace(&format!("://{recorded}/"), &format!("://{here}/"));
        }
        for (recorded, here) in &self.ports {
            text = replace_port(&text, *recorded, *here);
        }
        if let Some(shift) = self.shift {
            text = shift_times(&text, shift);
        }
        replace_root(&text.replace(RECORDED_HOST, &self.host), &self.root)
    }
}

/// Moves times such as `2026-11-25T02:17:48Z`, and with a fraction. One before 1970 stands for none.
fn shift_times(text: &str, shift: SignedDuration) -> String {
    /// `2026-11-25`, before the `T`.
    const DATE: usize = 10;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('T') {
        let moved = at.checked_sub(DATE).and_then(|start| {
            let end = at + rest[at..].find('Z')? + 1;
            let time: Timestamp = rest.get(start..end)?.parse().ok()?;
            let moved = time.checked_add(shift).ok()?;
            (time > Timestamp::UNIX_EPOCH).then_some((start, end, moved))
        });
        if let Some((start, end, time)) = moved {
            out.push_str(&rest[..start]);
            out.push_str(&time.to_string());
            rest = &rest[end..];
        } else {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
        }
    }
    out.push_str(rest);
    out
}

/// Replaces `:from` where the number ends there: `:925`, not `:9252`.
fn replace_port(text: &str, from: u16, to: u16) -> String {
    let from = format!(":{from}");
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find(&from) {
        let (before, after) = (&rest[..found], &rest[found + from.len()..]);
        out.push_str(before);
        if after.starts_with(|c: char| c.is_ascii_digit()) {
            out.push_str(&from);
        } else {
            out.push(':');
            out.push_str(&to.to_string());
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Replaces the recorded folder where it is a whole path segment: `/srv` and `/srv/x`, not `/srvx`.
fn replace_root(text: &str, root: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find(RECORDED_ROOT) {
        let (before, from) = rest.split_at(found);
        let after = &from[RECORDED_ROOT.len()..];
        let starts = !before.ends_with(|c: char| c.is_alphanumeric() || c == '/' || c == '.');
        let ends = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
        out.push_str(before);
        out.push_str(if starts && ends { root } else { RECORDED_ROOT });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            root: "/tmp/x1".to_owned(),
            host: "127.0.0.1:4711".to_owned(),
            machine: "box".to_owned(),
            hosts: vec![("localhost".to_owned(), "127.0.0.1:4712".to_owned())],
            ports: vec![(9252, 20001)],
            shift: None,
            rewrite: vec![("at = \"::1\"".to_owned(), "at = \"::1:9252\"".to_owned())],
        }
    }

    #[test]
    fn only_whole_paths_are_moved() {
        let text = "/srv /srv/a /srvx x/srv \"/srv\" http://gitlab.example.com/srv";
        assert_eq!(
            place().transpose(text),
            "/tmp/x1 /tmp/x1/a /srvx x/srv \"/tmp/x1\" http://127.0.0.1:4711/srv"
        );
    }

    #[test]
    fn times_are_moved() {
        let text =
            "TT at = 2026-11-25T02:17:48Z\nT = 0001-01-01T00:00:00Z \"2026-11-25T23:59:59.25Z\" T";
        let place = Place {
            shift: Some(SignedDuration::from_secs(2)),
            ..Place::recorded()
        };
        assert_eq!(
            place.transpose(text),
            "TT at = 2026-11-25T02:17:50Z\nT = 0001-01-01T00:00:00Z \"2026-11-26T00:00:01.25Z\" T"
        );
    }

    #[test]
    fn ports_and_other_hosts_go_there_and_back() {
        let text = "\":9252\" 127.0.0.1:9252/metrics :92520 9252 http://localhost/m localhost at = \"::1\"";
        let here = place().transpose(text);
        assert_eq!(
            here,
            "\":20001\" 127.0.0.1:20001/metrics :92520 9252 http://127.0.0.1:4712/m localhost at = \"::1:20001\""
        );
        assert_eq!(place().restore(&here), text);
    }
}
