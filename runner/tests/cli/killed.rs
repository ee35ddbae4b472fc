//! A process that is killed while it saves leaves the old file or the new one, never half of one.

use std::time::{Duration, Instant};

use runner::config::Config;

use super::support::{Desk, TOKEN, entry};

const ENTRIES: usize = 200;
const ROUNDS: u32 = 60;

#[tokio::test]
async fn a_kill_at_any_moment_leaves_a_whole_file() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let text: String = (0..ENTRIES)
        .map(|i| entry(&format!("entry {i}"), TOKEN))
        .collect();
    let config = desk.write("config.toml", &text);
    let url = desk.url();
    let args = [
        "register",
        "-n",
        "-c",
        &config,
        "--url",
        &url,
        "--token",
        TOKEN,
        "--executor",
        "shell",
    ];
    let start = Instant::now();
    desk.run(&args).ended(0);
    let whole = start.elapsed();
    let mut known = Config::load(desk.path("config.toml").as_path())
        .unwrap()
        .runners()
        .len();
    assert_eq!(known, ENTRIES + 1);
    for round in 0..ROUNDS {
        let mut child = desk.command(&args).spawn().unwrap();
        // Moments are spread over the time that it takes; which of them hits what does not matter.
        std::thread::sleep(
            whole.mul_f64(f64::from(round) / f64::from(ROUNDS) * 1.2) + Duration::from_micros(1),
        );
        let _ = child.kill();
        child.wait().unwrap();
        let file = Config::load(desk.path("config.toml").as_path()).unwrap();
        let now = file.runners().len();
        assert!(
            now == known || now == known + 1,
            "{known} entries became {now}"
        );
        assert_eq!(desk.read("config.toml"), file.to_toml(), "round {round}");
        known = now;
    }
    desk.run(&args).ended(0);
}
