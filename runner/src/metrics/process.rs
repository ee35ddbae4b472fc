//! What the process uses, from `/proc`. Elsewhere, or where a file cannot be read, values stay 0.

use std::fs;

use super::families::ProcessFamilies;

/// Ticks of a second in `/proc`: fixed at 100 for programs, whatever the kernel uses inside.
const TICKS: f64 = 100.0;

impl ProcessFamilies {
    /// Reads the values of now.
    pub(super) fn refresh(&self) {
        let set = |counter: &prometheus::Counter, value: f64| {
            counter.reset();
            counter.inc_by(value);
        };
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let stat = read("/proc/self/stat");
        // Fields are counted behind the program's name, which may hold blanks.
        let fields: Vec<f64> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_whitespace().skip(1))
            .into_iter()
            .flatten()
            .map(|field| field.parse().unwrap_or_default())
            .collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or_default();
        set(&self.cpu, (field(10) + field(11)) / TICKS);
        let boot = number_behind(&read("/proc/stat"), "btime");
        self.start.set(boot + field(18) / TICKS);
        let status = read("/proc/self/status");
        self.resident.set(number_behind(&status, "VmRSS:") * 1024.0);
        self.virtual_memory
            .set(number_behind(&status, "VmSize:") * 1024.0);
        let limits = read("/proc/self/limits");
        self.max_fds.set(limit(&limits, "Max open files"));
        self.virtual_memory_max
            .set(limit(&limits, "Max address space"));
        let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        self.open_fds.set(open as f64);
        let network = read("/proc/self/net/netstat");
        set(&self.received, column(&network, "IpExt:", "InOctets"));
        set(&self.sent, column(&network, "IpExt:", "OutOctets"));
    }
}

/// The first number of the line that begins with `name`.
fn number_behind(text: &str, name: &str) -> f64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

/// A soft limit; `unlimited` is the largest 64-bit number, as Go shows it.
fn limit(limits: &str, name: &str) -> f64 {
    let value = limits
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next());
    match value {
        Some("unlimited") => u64::MAX as f64,
        Some(number) => number.parse().unwrap_or_default(),
        None => 0.0,
    }
}

/// A column of a table of two lines, a head and its values, both of which begin with `name`.
fn column(table: &str, name: &str, column: &str) -> f64 {
    let mut lines = table.lines().filter(|line| line.starts_with(name));
    let (Some(head), Some(values)) = (lines.next(), lines.next()) else {
        return 0.0;
    };
    let mut pairs = head.split_whitespace().zip(values.split_whitespace());
    pairs
        .find(|(head, _)| *head == column)
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_tables_of_proc() {
        let limits = "Max open files            20000                20000                files\nMax address space         unlimited            unlimited            bytes\n";
        assert!((limit(limits, "Max open files") - 20000.0).abs() < 0.1);
        assert!((limit(limits, "Max address space") - 18_446_744_073_709_552_000.0).abs() < 1.0);
        let table = "TcpExt: A InOctets\nTcpExt: 1 2\nIpExt: B InOctets OutOctets\nIpExt: 3 4 5\n";
        assert!((column(table, "IpExt:", "InOctets") - 4.0).abs() < 0.1);
        assert!((column(table, "IpExt:", "OutOctets") - 5.0).abs() < 0.1);
        assert!((number_behind("VmSize:\t 12 kB\nVmRSS:\t   7 kB\n", "VmRSS:") - 7.0).abs() < 0.1);
    }
}
