//! Says on stdout how far a transfer is (runner.md 2.7).

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What clears the rest of a longer line.
const BLANKS: &str = "                ";

/// Counts the bytes of a transfer.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    shown: Option<Arc<Shown>>,
}

#[derive(Debug)]
struct Shown {
    label: &'static str,
    total: Option<u64>,
    bytes: AtomicU64,
    begin: Instant,
}

impl Meter {
    /// Begins. `every` is how often to say something; zero: never, and else at least a second.
    pub(super) fn start(label: &'static str, total: Option<u64>, every: Duration) -> Meter {
        if every.is_zero() {
            return Meter { shown: None };
        }
        let shown = Arc::new(Shown {
            label,
            total,
            bytes: AtomicU64::new(0),
            begin: Instant::now(),
        });
        shown.print();
        let every = every.max(Duration::from_secs(1));
        let weak = Arc::downgrade(&shown);
        crate::logging::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(shown) = weak.upgrade() else { return };
                shown.print();
            }
        });
        Meter { shown: Some(shown) }
    }

    /// Counts bytes.
    pub(super) fn add(&self, bytes: usize) {
        if let Some(shown) = &self.shown {
            shown.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.print();
    }
}

impl Shown {
    fn print(&self) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let total = self
            .total
            .map(|total| format!("/{}", amount(total)))
            .unwrap_or_default();
        let seconds = self.begin.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 {
            bytes as f64 / seconds
        } else {
            0.0
        };
        let mut out = std::io::stdout().lock();
        // Nobody may listen; that is no reason to stop a transfer.
        let _ = write!(
            out,
            "\r{} {}{total} ({}){BLANKS}",
            self.label,
            amount(bytes),
            speed(rate)
        );
        let _ = out.flush();
    }
}

const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];

/// Decimal units: the number in the biggest unit in which it is at least 1.
fn scaled(mut value: f64) -> (f64, &'static str) {
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    (value, unit)
}

fn amount(bytes: u64) -> String {
    match scaled(bytes as f64) {
        (_, "B") => format!("{bytes} B"),
        (value, unit) => format!("{value:.2} {unit}"),
    }
}

fn speed(rate: f64) -> String {
    match scaled(rate) {
        (value, "B") => format!("{value:.0} B/s"),
        (value, unit) => format!("{value:.1} {unit}/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: numbers as in runner.md 2.7 and the recording `artifact-formats` (job 1011).
    #[test]
    fn numbers() {
        assert_eq!(amount(0), "0 B");
        assert_eq!(amount(986), "986 B");
        assert_eq!(amount(1_110_000), "1.11 MB");
        assert_eq!(speed(0.0), "0 B/s");
        assert_eq!(speed(1000.0), "1.0 KB/s");
        assert_eq!(speed(145_900.0), "145.9 KB/s");
    }
}
