//! Memory of the process, so this test has a process of its own, as that of `memory.rs`.

use benches::job_stream;
use benches::load::LoadError;

/// Nothing is kept per job: memory after many jobs is that after few. `cargo run --release -p benches --
/// jobs` plays 100,000.
#[test]
fn jobs_leave_nothing_behind() -> Result<(), LoadError> {
    const GROWTH_MAX: u64 = 2 * 1024 * 1024;
    if let Some(growth) = job_stream::play(5_000)? {
        assert!(
            growth.bytes() < GROWTH_MAX,
            "4,500 jobs left {} bytes: {growth:?}",
            growth.bytes()
        );
    }
    Ok(())
}
