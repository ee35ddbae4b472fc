//! Memory and CPU time of a process, as Linux tells them in `/proc`.

use std::time::Duration;

/// Ticks per second of `/proc/PID/stat`; 100 on every Linux that Rust supports.
const TICKS_PER_SECOND: u64 = 100;

/// Resident memory in bytes; `None` where there is no `/proc`.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    memory(pid, "VmRSS:")
}

/// The most resident memory that there ever was, in bytes; `None` where there is no `/proc`.
pub fn peak_resident_bytes(pid: u32) -> Option<u64> {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, what: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(what))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// User and system time that the process has used; `None` where there is no `/proc`.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    times(pid, 11)
}

/// User and system time of the process's children that have ended and were waited for, and of theirs;
/// `None` where there is no `/proc`.
pub fn children_cpu_time(pid: u32) -> Option<Duration> {
    times(pid, 13)
}

/// The sum of two fields of `/proc/PID/stat`, of which `skip` fields behind the name are passed over.
fn times(pid: u32, skip: usize) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(skip);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(
        (user + system) * 1000 / TICKS_PER_SECOND,
    ))
}

/// Resident memory of this process.
pub fn own_resident_bytes() -> Option<u64> {
    resident_bytes(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let now = own_resident_bytes().expect("this process");
        let peak = peak_resident_bytes(std::process::id()).expect("this process");
        assert!(now > 100 * 1024);
        // The kernel counts pages per thread and adds them up at its leisure.
        assert!(peak > now / 2, "{peak} {now}");
        assert!(cpu_time(std::process::id()).is_some());
        assert!(children_cpu_time(std::process::id()).is_some());
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
