//! Terminals of a real manager with real shells.

use futures_util::SinkExt as _;
use nix::sys::signal::Signal;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::support::{Stage, gone, lives};

const LISTEN: &str = "listen_address = '127.0.0.1:0'";
const RAW: &str = "terminal.gitlab.com";
const BASE64: &str = "base64.terminal.gitlab.com";

/// Status, headers and body of every refusal as in the recording `session-server`, and the records; the
/// client has checked the certificate, by the name that is advertised.
///
/// Proves RUN-MON-03.
#[tokio::test]
async fn recorded_answers() {
    let advertise = format!("{LISTEN}\nadvertise_address = 'runner.example.com:8093'");
    let stage = Stage::start(&advertise).await;
    let door = stage.door().await;
    assert_eq!(door.host, "runner.example.com:8093");
    let page = |status: &str, text: &str| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             X-Content-Type-Options: nosniff\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}\n",
            text.len() + 1
        )
    };
    let (path, token) = (door.path.as_str(), door.token.as_str());
    let authorized = format!("Authorization: {token}\r\n");
    let missing = page("404 Not Found", "404 page not found");
    let unauthorized = page("401 Unauthorized", "Unauthorized");
    let not_found = page("404 Not Found", "Not Found");
    let exec = format!("{path}/exec");
    for (target, more, expected) in [
        (path, "", &missing),
        (&exec, "", &unauthorized),
        (&exec, "Authorization: x\r\n", &unauthorized),
        (
            &exec,
            &authorized,
            &page("405 Method Not Allowed", "Method Not Allowed"),
        ),
        (&format!("{path}/proxy/a/80/"), &authorized, &not_found),
        (&format!("{path}/proxy/a/80/"), "", &unauthorized),
        (&format!("{path}/other"), &authorized, &missing),
        ("/", "", &missing),
        ("/session/x/exec", &authorized, &missing),
    ] {
        assert_eq!(&door.get(target, more).await, expected, "{target} {more}");
    }
    for (message, level, fields) in [
        (
            "Failed to find session by URL",
            "warning",
            json!({"url": path, "builds": 1, "error": format!("no session found matching URL: {path}")}),
        ),
        (
            "Mux handler not found",
            "error",
            json!({"uri": path, "builds": 0}),
        ),
        (
            "Authorization header is not valid",
            "error",
            json!({"uri": exec, "builds": 0}),
        ),
        (
            "Request is not a web socket connection",
            "error",
            json!({"uri": exec}),
        ),
        (
            "Proxy not found",
            "warning",
            json!({"uri": format!("{path}/proxy/a/80/")}),
        ),
    ] {
        let record = stage.record(message).await;
        assert_eq!(record["level"], level, "{message}");
        assert_eq!(record["max_builds"], 1, "{message}");
        for (name, value) in fields.as_object().unwrap() {
            assert_eq!(&record[name], value, "{message}: {name}");
        }
    }
    assert!(!stage.log().contains(token), "the token is a secret");
    stage.finish();
    assert_eq!(stage.end_of_job().await.0, "success");
    // The session ends with its job.
    stage.record("Removed job from processing list").await;
    assert_eq!(door.get(&exec, &authorized).await, missing);
}

/// Somebody sits at a terminal: a pty of its own in the manager's directory, without the job's variables;
/// a second one is refused; the job waits for the first.
///
/// Proves EXE-SES-03, RUN-MON-03.
#[tokio::test]
async fn a_terminal_beside_the_job() {
    let stage = Stage::start(LISTEN).await;
    let door = stage.door().await;
    let mut browser = door.terminal(RAW).await.unwrap();
    browser.type_line("echo $((6*7))").await;
    assert_eq!(browser.shown("\n42").await, "");
    assert_eq!(door.terminal(RAW).await.err(), Some(423));
    assert_eq!(
        browser.run("echo $((7*7))").await,
        "49",
        "the first one is not disturbed"
    );

    let tty = browser.run("tty").await;
    assert!(tty.starts_with("/dev/pts/"), "{tty}");
    assert_eq!(browser.run("readlink /proc/$$/fd/0").await, tty);
    assert_eq!(
        browser.run("pwd").await,
        stage.folder().display().to_string()
    );
    assert_eq!(
        browser
            .run("echo \"<$CI_JOB_ID$CI$SECRET_OF_THE_JOB>\"")
            .await,
        "<>"
    );
    let flags = browser.run("shopt -q login_shell && echo $-").await;
    assert!(flags.contains('i'), "a login shell, interactive: {flags}");
    let processes = browser.processes().await;

    stage.finish();
    let waiting = "Terminal is connected, will time out in 30m0s...";
    let seen = stage
        .until(waiting, |seen| seen.log.contains(waiting))
        .await;
    assert_eq!(seen.updates, ["running"]);
    assert_eq!(
        browser.run("echo $((8*8))").await,
        "64",
        "the job is over, the terminal is not"
    );
    browser.socket.close(None).await.unwrap();
    let (end, log) = stage.end_of_job().await;
    assert_eq!(end, "success");
    let at = |text: &str| {
        log.find(text)
            .unwrap_or_else(|| panic!("no {text:?} in\n{log}"))
    };
    assert!(at("cleanup_file_variables") < at(waiting));
    assert!(at(waiting) < at("Terminal disconnected"));
    assert!(at("Terminal disconnected") < at("Job succeeded"));
    assert!(!processes.iter().any(|process| lives(*process)));

    let started = stage.record("Terminal: started proxying").await;
    assert_eq!(started["serverAddr"], "shell");
    let client = started["clientAddr"].as_str().unwrap();
    assert!(client.starts_with("127.0.0.1:"), "{client}");
    assert_eq!(started.get("builds"), None);
    let error = &stage.record("Terminal: error proxying").await["error"];
    let closed = "websocket: close 1005 (no status)";
    assert_eq!(error, &format!("copying from {client} to shell: {closed}"));
    stage.record("Terminal: finished proxying").await;
    let record = stage.record("Closed active terminal connection").await;
    assert_eq!(record["uri"], door.path);
    let record = stage
        .record("Terminal already connected, revoking connection")
        .await;
    assert_eq!(record["uri"], format!("{}/exec", door.path));
}

/// A shell that ends closes its socket, the terminal is free for the next client, and one that goes away
/// without a word takes its shell with it.
///
/// Proves EXE-SES-03.
#[tokio::test]
async fn shell_and_socket_end_together() {
    let stage = Stage::start(LISTEN).await;
    let door = stage.door().await;
    let mut browser = door.terminal(BASE64).await.unwrap();
    assert_eq!(browser.run("echo caf\u{e9}").await, "caf\u{e9}");
    let processes = browser.processes().await;
    browser.type_line("exit").await;
    assert_eq!(browser.closed().await, 1000);
    gone(&processes).await;
    stage.record("Closed active terminal connection").await;
    let error = stage.record("Terminal: error proxying").await["error"].to_string();
    assert!(
        error.contains("copying from shell to 127.0.0.1:"),
        "{error}"
    );
    assert!(
        error.contains("read /dev/ptmx: input/output error"),
        "{error}"
    );

    // No subprotocol: bytes as they are.
    let mut browser = door.terminal("").await.unwrap();
    let processes = browser.processes().await;
    drop(browser);
    gone(&processes).await;
    let gone = "websocket: close 1006 (abnormal closure): unexpected EOF";
    stage.until_log(gone).await;

    // What is no Base64 ends it too.
    let mut browser = loop {
        // The slot is free a moment after the processes are gone.
        match door.terminal(BASE64).await {
            Ok(browser) => break browser,
            Err(status) => assert_eq!(status, 423),
        }
    };
    browser
        .socket
        .send(Message::Text("?".into()))
        .await
        .unwrap();
    assert_eq!(browser.closed().await, 1000);
    stage.finish();
    let (end, log) = stage.end_of_job().await;
    assert_eq!(end, "success");
    assert!(
        !log.contains("Terminal"),
        "nobody was there at the end:\n{log}"
    );
}

/// A job waits for its terminal as long as `session_timeout` says, then it is closed, with all that
/// was started there.
#[tokio::test]
async fn the_session_times_out() {
    let stage = Stage::start(&format!("{LISTEN}\nsession_timeout = 1")).await;
    let door = stage.door().await;
    let mut browser = door.terminal(RAW).await.unwrap();
    let processes = browser.processes().await;
    stage.finish();
    assert_eq!(browser.closed().await, 1000);
    let (end, log) = stage.end_of_job().await;
    assert_eq!(end, "success");
    let timed_out = "terminal session timed out (maximum time allowed - 1s)";
    for line in ["Terminal is connected, will time out in 1s...", timed_out] {
        assert!(log.contains(line), "no {line:?} in\n{log}");
    }
    assert!(!processes.iter().any(|process| lives(*process)));
    let error = stage.record("Terminal: error proxying").await;
    assert_eq!(error["error"], timed_out);
}

/// A manager that is told to end, or is killed, takes its terminals with it.
#[tokio::test]
async fn terminals_end_with_the_manager() {
    for (signal, code) in [(Signal::SIGTERM, Some(0)), (Signal::SIGKILL, None)] {
        let mut stage = Stage::start(LISTEN).await;
        let door = stage.door().await;
        let mut browser = door.terminal(RAW).await.unwrap();
        let processes = browser.processes().await;
        if signal == Signal::SIGTERM {
            // Also while the job only waits for the terminal.
            stage.finish();
            let waiting = "Terminal is connected";
            stage
                .until(waiting, |seen| seen.log.contains(waiting))
                .await;
        }
        stage.signal(signal);
        assert_eq!(stage.code().await, code, "{}", stage.log());
        if signal == Signal::SIGTERM {
            assert!(!processes.iter().any(|process| lives(*process)));
            let (end, log) = stage.end_of_job().await;
            assert_eq!(end, "success", "the script has ended well");
            assert!(log.contains("Terminal disconnected"), "{log}");
        } else {
            // `nohup` hears no hang-up, and nobody is left to kill it: it is no part of the shell's group.
            gone(&processes[..2]).await;
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(processes[2]), Signal::SIGKILL);
        }
    }
}

/// An address that cannot be used ends the start, with the key and the reason.
#[tokio::test]
async fn bad_addresses_end_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    for (lines, error) in [
        (
            "listen_address = '127.0.0.1'".to_owned(),
            "[session_server].listen_address \"127.0.0.1\": invalid listen address: address 127.0.0.1: missing port in address".to_owned(),
        ),
        (
            format!("{LISTEN}\nadvertise_address = 'https://runner.example.com'"),
            "[session_server].advertise_address \"https://runner.example.com\": url not valid, scheme defined: write host:port".to_owned(),
        ),
        (
            format!("listen_address = '{taken}'"),
            format!("listen tcp {taken}: bind: address already in use"),
        ),
    ] {
        let mut stage = Stage::start(&lines).await;
        let record = stage.record("Failed to create session server").await;
        assert_eq!(record["level"], "fatal");
        assert_eq!(record["error"], error);
        assert_eq!(stage.code().await, Some(1));
        assert!(stage.until("nothing", |_| true).await.poll.is_null());
    }
}
