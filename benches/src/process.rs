//! Memory and CPU time of a process, as Linux tells them in `/proc`.

use std::time::Duration;

/// Ticks per second of `/proc/PID/stat`; 100 on every Linux that Rust supports.
const TICKS_PER_SECOND: u64 = 100;

/// Resident memory in bytes; `None` where there is no `/proc`.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// User and system time that the process has used; `None` where there is no `/proc`.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
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
        assert!(own_resident_bytes().is_some_and(|bytes| bytes > 100 * 1024));
        assert!(cpu_time(std::process::id()).is_some());
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
