//! Tokens that expire, on a paused clock that starts at 1970-01-01T00:00:00Z.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::tests::{Server, job, start};
use crate::schedule::{ExitReason, Signal};

fn entry(name: &str, token: &str, more: &str) -> String {
    format!(
        "[[runners]]\nname='{name}'\nurl='http://h'\ntoken='{token}'\nexecutor='shell'\n{more}\n"
    )
}

/// A lifetime of `seconds` from the start.
fn lifetime(seconds: i64) -> String {
    let end = jiff::Timestamp::from_second(seconds).unwrap();
    format!("token_obtained_at = 1970-01-01T00:00:00Z\ntoken_expires_at = {end}")
}

fn fresh(token: &str, end_s: i64) -> (u16, Value) {
    let end = jiff::Timestamp::from_second(end_s).unwrap();
    let end = end.to_string().replace('Z', ".000Z");
    (201, json!({"token": token, "token_expires_at": end}))
}

/// Tenths of a second and old token of each reset.
fn resets(server: &Server) -> Vec<(u64, String)> {
    let seen = server.seen().into_iter();
    seen.filter(|seen| seen.path.ends_with("/reset_authentication_token"))
        .map(|seen| (seen.at, seen.body["token"].as_str().unwrap().to_owned()))
        .collect()
}

/// As in the recording `token-rotation`: again and again, also while a job runs, and the file is written
/// each time.
///
/// Proves RUN-CFG-15.
#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_at_three_quarters_of_its_life() {
    let server = Server::new(vec![(204, Value::Null), job(1, "40")]);
    *server.resets.lock().unwrap() = vec![
        fresh("glrt-b", 32),
        fresh("glrt-c", 52),
        (201, json!({"token": "glrt-d", "token_expires_at": null})),
    ];
    let text = format!(
        "concurrent = 2\n{}{}",
        entry("other", "other", ""),
        entry("a", "glrt-a", &lifetime(16))
    );
    let run = start(&server, &text);
    let config = run.config.clone();
    tokio::time::sleep(Duration::from_secs(13)).await;
    let saved = config.text().unwrap();
    for line in [
        "  name = \"other\"\n",
        "  token = \"glrt-b\"\n  token_obtained_at = 1970-01-01T00:00:12Z\n  token_expires_at = 1970-01-01T00:00:32Z\n",
    ] {
        assert!(saved.contains(line), "{line:?} in {saved}");
    }
    assert_eq!(run.after(67, Signal::Quit).await, ExitReason::Finished);
    // 0.75 of 16 s; then of 20 s from second 12; then of 25 s from second 27.
    assert_eq!(
        resets(&server),
        [
            (120, "glrt-a".to_owned()),
            (270, "glrt-b".to_owned()),
            (457, "glrt-c".to_owned())
        ]
    );
    let saved = config.text().unwrap();
    assert!(
        saved.contains("token = \"glrt-d\"")
            && saved.contains("token_expires_at = 0001-01-01T00:00:00Z\n  executor"),
        "{saved}"
    );
    let polls = server.polls();
    assert!(
        polls["glrt-a"].iter().all(|at| *at <= 120 + 30),
        "{polls:?}"
    );
    assert!(
        polls.contains_key("glrt-b") && polls.contains_key("glrt-d"),
        "{polls:?}"
    );
}

/// The recorded runner asks thousands of times in seconds.
///
/// Proves WIRE-REG-17.
#[tokio::test(start_paused = true)]
async fn a_refused_reset_is_repeated_after_growing_pauses() {
    let server = Server::new(Vec::new());
    let run = start(&server, &entry("a", "glrt-a", &lifetime(40)));
    assert_eq!(run.after(12_000, Signal::Quit).await, ExitReason::Finished);
    let times: Vec<u64> = resets(&server).iter().map(|(at, _)| at / 10).collect();
    let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(times[0], 30);
    assert_eq!(pauses[..6], [60, 120, 240, 480, 960, 1920]);
    assert!(pauses[6..].iter().all(|pause| *pause == 3600), "{pauses:?}");
}

/// With the flag nothing is asked, for no entry any more.
///
/// Proves RUN-CFG-15.
#[tokio::test(start_paused = true)]
async fn a_flag_ends_the_rotation() {
    let server = Server::new(Vec::new());
    let flag = format!(
        "{}\n[runners.feature_flags]\nFF_DISABLE_AUTOMATIC_TOKEN_ROTATION = true",
        lifetime(10)
    );
    let text = entry("a", "glrt-a", &flag) + &entry("b", "glrt-b", &lifetime(100));
    let run = start(&server, &text);
    run.after(200, Signal::Quit).await;
    assert_eq!(resets(&server), []);
}

/// A new token that could not be written is written at the latest when the process ends.
#[tokio::test(start_paused = true)]
async fn the_new_token_is_saved_at_the_end() {
    let server = Server::new(Vec::new());
    *server.resets.lock().unwrap() = vec![fresh("glrt-b", 100_000)];
    let old = entry("a", "glrt-a", &lifetime(20));
    let run = start(&server, &old);
    let config = Arc::new(run.config.clone());
    // Broken in the moment of the rotation, and good again when the process is told to end.
    tokio::time::sleep(Duration::from_millis(14_500)).await;
    config.set(Some("concurrent =\n".to_owned()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(resets(&server).len(), 1);
    config.set(Some(old));
    run.signals.send(Signal::Quit).await.unwrap();
    run.end.await.unwrap();
    let saved = config.text().unwrap();
    assert!(saved.contains("glrt-b"), "{saved}");
}

/// An edit that was not read yet survives, and a file that comes back with the old token gets the new one.
#[tokio::test(start_paused = true)]
async fn the_new_token_is_never_lost() {
    let server = Server::new(Vec::new());
    *server.resets.lock().unwrap() = vec![fresh("glrt-b", 100_000)];
    let old = format!("concurrent = 1\n{}", entry("a", "glrt-a", &lifetime(20)));
    let run = start(&server, &old);
    let config = Arc::new(run.config.clone());
    // Broken in the moment of the rotation.
    tokio::time::sleep(Duration::from_millis(14_500)).await;
    config.set(Some("concurrent =\n".to_owned()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(config.text().unwrap(), "concurrent =\n");
    config.set(Some(old.replace("concurrent = 1", "concurrent = 7")));
    tokio::time::sleep(Duration::from_secs(6)).await;
    let saved = config.text().unwrap();
    assert!(
        saved.contains("concurrent = 7") && saved.contains("glrt-b"),
        "{saved}"
    );
    // An operator writes the file from an old copy.
    config.set(Some(old));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(config.text().unwrap().contains("glrt-b"));
    run.signals.send(Signal::Quit).await.unwrap();
    run.end.await.unwrap();
    assert_eq!(resets(&server).len(), 1);
    let polls = server.polls();
    assert!(polls["glrt-a"].iter().all(|at| *at <= 180), "{polls:?}");
}
