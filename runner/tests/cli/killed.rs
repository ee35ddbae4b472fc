//! A process that is killed while it saves leaves the old file or the new one, never half of one.

use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use runner::config::Config;
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, Request, ResponseTemplate};

use super::support::{Desk, TOKEN, entry, steady};

/// Enough that a save takes its time.
const ENTRIES: usize = 200;
const ROUNDS: u32 = 60;
/// Name of the entry that commands are about.
const NAME: &str = "entry 7";
/// Its token.
const CHOSEN: &str = "glrt-t3_ChosenChosenChosenCh";
/// The token that it gets.
const RENEWED: &str = "glrt-t3_RenewedRenewedRenewe";
/// Nobody waits so long; it only keeps a broken test from hanging.
const LIMIT: Duration = Duration::from_mins(1);

fn registration<'a>(config: &'a str, url: &'a str) -> Vec<&'a str> {
    vec![
        "register",
        "-n",
        "-c",
        config,
        "--url",
        url,
        "--token",
        TOKEN,
        "--executor",
        "shell",
    ]
}

#[tokio::test]
async fn a_kill_at_any_moment_leaves_a_whole_file() {
    let desk = Desk::new().await;
    desk.welcoming().await;
    let text: String = (0..ENTRIES)
        .map(|i| entry(&format!("entry {i}"), TOKEN))
        .collect();
    let config = desk.write("config.toml", &text);
    let url = desk.url();
    let args = registration(&config, &url);
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

/// When a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The server has its request, and no answer is out.
    Asked,
    /// The file that will take the place of the configuration is there.
    Begun,
    /// The configuration is another one.
    Replaced,
}

/// A server that says when it was asked to change something; it answers a little later.
async fn server(desk: &Desk) -> Receiver<()> {
    let (asked, when_asked) = mpsc::channel();
    let answer = move |request: &Request| {
        let path = request.url.path().trim_start_matches("/api/v4/").to_owned();
        if path == "jobs/request" {
            return ResponseTemplate::new(204);
        }
        // Nobody listens any more in other moments.
        let _ = asked.send(());
        let credentials = json!({"id": 7, "token": RENEWED, "token_expires_at": null});
        let chosen = String::from_utf8_lossy(&request.body).contains(CHOSEN);
        let template = match path.as_str() {
            "runners/verify" if chosen => ResponseTemplate::new(403),
            "runners/verify" => ResponseTemplate::new(200).set_body_json(credentials),
            "runners/managers" => ResponseTemplate::new(204),
            _ => ResponseTemplate::new(201).set_body_json(credentials),
        };
        template.set_delay(Duration::from_millis(20))
    };
    Mock::given(any())
        .respond_with(answer)
        .mount(&desk.server)
        .await;
    when_asked
}

/// Waits for the moment by looking again and again: every pause would miss it.
fn wait_for(moment: Moment, desk: &Desk, old: &str, asked: &Receiver<()>) {
    let deadline = Instant::now() + LIMIT;
    let come = || match moment {
        Moment::Asked => asked.try_recv().is_ok(),
        Moment::Begun => std::fs::read_dir(desk.path(".")).unwrap().any(|file| {
            let name = file.unwrap().file_name();
            name.to_string_lossy().starts_with(".config.toml.")
        }),
        Moment::Replaced => desk.read("config.toml") != old,
    };
    while !come() {
        assert!(Instant::now() < deadline, "{moment:?} does not come");
        std::thread::yield_now();
    }
}

/// Every command that saves, and the manager when it replaces a token, killed by what was seen of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_around_a_save_leaves_the_old_file_or_the_new_one() {
    let desk = Desk::new().await;
    let asked = server(&desk).await;
    let url = desk.url();
    let text: String = (0..ENTRIES)
        .map(|i| match i {
            7 => format!(
                "{}  token_obtained_at = 2020-01-01T00:00:00Z\n  token_expires_at = 2020-01-02T00:00:00Z\n",
                entry(NAME, CHOSEN)
            ),
            _ => entry(&format!("entry {i}"), TOKEN),
        })
        .collect();
    let config = desk.write("config.toml", &text);
    let old = desk.read("config.toml");
    let commands = [
        registration(&config, &url),
        vec!["verify", "--delete", "-c", &config, "-n", NAME],
        vec!["reset-token", "-c", &config, "-n", NAME],
        vec!["unregister", "-c", &config, "-n", NAME],
        vec!["run", "-c", &config],
    ];
    for args in commands {
        // Undisturbed: what the new file is.
        desk.write("config.toml", &text);
        let mut child = desk.command(&args).spawn().unwrap();
        if args[0] == "run" {
            wait_for(Moment::Replaced, &desk, &old, &asked);
            child.kill().unwrap();
        }
        child.wait().unwrap();
        let new = steady(&desk.read("config.toml"));
        assert_ne!(new, steady(&old), "{args:?} saves");
        for moment in [Moment::Asked, Moment::Begun, Moment::Replaced] {
            for round in 0..3 {
                for file in std::fs::read_dir(desk.path(".")).unwrap().flatten() {
                    if file
                        .file_name()
                        .to_string_lossy()
                        .starts_with(".config.toml.")
                    {
                        std::fs::remove_file(file.path()).unwrap();
                    }
                }
                desk.write("config.toml", &text);
                while asked.try_recv().is_ok() {}
                let mut child = desk.command(&args).spawn().unwrap();
                wait_for(moment, &desk, &old, &asked);
                child.kill().unwrap();
                child.wait().unwrap();
                let now = desk.read("config.toml");
                let seen = format!("{} {moment:?} round {round}:\n{now}", args[0]);
                match moment {
                    // What was seen may be over when the signal comes.
                    Moment::Asked | Moment::Begun => {
                        assert!(now == old || steady(&now) == new, "{seen}");
                    }
                    Moment::Replaced => assert_eq!(steady(&now), new, "{seen}"),
                }
            }
        }
    }
}
