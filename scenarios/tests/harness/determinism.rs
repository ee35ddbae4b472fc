//! Two runs in virtual time with one seed write the same bytes, on a busy machine too.

use std::sync::atomic::{AtomicBool, Ordering};

use super::program::{gauntlet, text};

fn events(folder: &std::path::Path, name: &str, seed: &str) -> Vec<u8> {
    let path = folder.join(name).display().to_string();
    let output = gauntlet(&[
        "run", "--clock", "virtual", "--seed", seed, "--events", &path,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    std::fs::read(&path).expect("events")
}

#[test]
fn one_seed_one_event_log() {
    let folder = tempfile::tempdir().expect("temp");
    let first = events(folder.path(), "a.jsonl", "7");
    assert!(first.len() > 10_000, "a log of everything is longer");
    let busy = AtomicBool::new(true);
    let second = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut number = 1_u64;
                while busy.load(Ordering::Relaxed) {
                    number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005));
                }
            });
        }
        let second = events(folder.path(), "b.jsonl", "7");
        busy.store(false, Ordering::Relaxed);
        second
    });
    assert!(
        first == second,
        "the event logs of two runs with seed 7 differ"
    );
}
