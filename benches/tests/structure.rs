//! Structural claims, with bounds so generous that a loaded machine cannot break them. The real targets
//! are judged by `cargo run --release -p benches`.

use std::time::{Duration, Instant};

use benches::load::{Load, LoadError};

/// A pick does not look at every job: a hundred times the jobs cost far less than a hundred times.
#[test]
fn a_pick_does_not_look_at_every_job() -> Result<(), LoadError> {
    const RATIO_MAX: u32 = 20;
    let few = fastest_pick(&mut Load::new(500, 50)?)?;
    let many = fastest_pick(&mut Load::new(50_000, 5_000)?)?;
    assert!(
        many < few * RATIO_MAX,
        "a pick among 50,000 jobs took {many:?}, among 500 {few:?}"
    );
    Ok(())
}

fn fastest_pick(load: &mut Load) -> Result<Duration, LoadError> {
    let mut best = Duration::MAX;
    for _ in 0..200 {
        let start = Instant::now();
        let job = load.pick()?;
        best = best.min(start.elapsed());
        load.finish(&job)?;
        load.add_job()?;
    }
    Ok(best)
}
