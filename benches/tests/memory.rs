//! Memory of the process, so this test has a process of its own: a second test beside it would be
//! measured too.

use benches::load::{Load, LoadError};
use benches::process::own_resident_bytes;

/// Nothing is kept per poll: memory after many polls is that after few.
#[test]
fn polls_leave_nothing_behind() -> Result<(), LoadError> {
    const GROWTH_MAX: u64 = 4 * 1024 * 1024;
    let mut load = Load::new(0, 10)?;
    let mut polls = |count: u32| -> Result<Option<u64>, LoadError> {
        for _ in 0..count {
            load.idle_poll()?;
        }
        Ok(own_resident_bytes())
    };
    if let (Some(early), Some(late)) = (polls(10_000)?, polls(100_000)?) {
        let growth = late.saturating_sub(early);
        assert!(growth < GROWTH_MAX, "100,000 polls left {growth} bytes");
    }
    Ok(())
}
