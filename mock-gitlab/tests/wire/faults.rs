//! Faults as a client on a socket sees them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mock_gitlab::MockGitlab;
use mock_gitlab::fault::{Endpoint, FaultRule, Reset, SlowBody};

/// Longest time that anything may take; it is never waited for when all is well.
const LIMIT: Duration = Duration::from_mins(1);

fn connect(gitlab: &MockGitlab) -> TcpStream {
    let stream = TcpStream::connect(gitlab.url().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

fn poll(body: &str, length: usize) -> String {
    format!(
        "POST /api/v4/jobs/request HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Everything up to the end of the connection, and how it ended.
fn read(stream: &mut TcpStream) -> (String, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = stream
        .read_to_end(&mut bytes)
        .err()
        .map(|error| error.kind());
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

/// A reset is a reset of TCP, whether the body was read or not.
#[test]
fn resets() {
    for (reset, sent) in [
        (Reset::BeforeBody, ""),
        // A part of the body only: the server is in the middle of it.
        (Reset::InBody, r#"{"tok"#),
        (Reset::AfterBody, r#"{"token":"x"}"#),
        (Reset::AfterAction, r#"{"token":"x"}"#),
    ] {
        let gitlab = MockGitlab::start().unwrap();
        let rule = FaultRule {
            reset: Some(reset),
            ..FaultRule::on(Endpoint::Poll)
        };
        gitlab.fault(rule).unwrap();
        let mut stream = connect(&gitlab);
        stream.write_all(poll(sent, 13).as_bytes()).unwrap();
        let (text, end) = read(&mut stream);
        assert_eq!(
            (text.as_str(), end),
            ("", Some(ErrorKind::ConnectionReset)),
            "{reset:?}"
        );
        let statuses: Vec<u16> = gitlab.requests().iter().map(|seen| seen.status).collect();
        assert_eq!(statuses, [0], "{reset:?}");
        // The server is as before.
        let mut stream = connect(&gitlab);
        stream
            .write_all(poll(r#"{"token":"x"}"#, 13).as_bytes())
            .unwrap();
        assert!(
            read(&mut stream).0.starts_with("HTTP/1.1 403 "),
            "{reset:?}"
        );
    }
}

/// An answer that ends too early had promised more, and one that comes slowly comes whole.
#[test]
fn bodies() {
    let gitlab = MockGitlab::start().unwrap();
    let answer = || {
        let mut stream = connect(&gitlab);
        stream
            .write_all(poll(r#"{"token":"x"}"#, 13).as_bytes())
            .unwrap();
        let (text, _) = read(&mut stream);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    };
    let (_, whole) = answer();
    assert_eq!(whole, r#"{"message":"403 Forbidden"}"#);
    let length = format!("content-length: {}", whole.len());
    gitlab
        .fault(FaultRule {
            truncate: Some(10),
            ..FaultRule::default()
        })
        .unwrap();
    let (head, body) = answer();
    assert!(head.contains(&length), "{head}");
    assert_eq!(body, whole[..10]);
    gitlab
        .fault(FaultRule {
            slow: Some(SlowBody {
                bytes: 9,
                every_ms: 20,
            }),
            date_skew_s: Some(1_000_000_000),
            content_type: Some("text/html".to_owned()),
            ..FaultRule::default()
        })
        .unwrap();
    let start = Instant::now();
    let (head, body) = answer();
    assert!(start.elapsed() >= Duration::from_millis(60));
    assert_eq!(body, whole);
    assert!(
        head.contains(&length) && head.contains("content-type: text/html"),
        "{head}"
    );
    let dates: Vec<&str> = head
        .lines()
        .filter(|line| line.starts_with("date: "))
        .collect();
    assert_eq!(dates.len(), 1, "{head}");
    // 2001-09-09 is this long after the epoch; any clock that runs this is later than 2025.
    assert!(!dates[0].contains(" 202"), "{head}");
}

/// A restart takes away idle connections too, and refuses new ones while it lasts.
#[test]
fn restarts() {
    let gitlab = MockGitlab::start().unwrap();
    let mut idle = connect(&gitlab);
    let mut half = connect(&gitlab);
    // Both are known to the server: one was answered, and one is in the middle of a request.
    let request = poll(r#"{"token":"x"}"#, 13).replace("Connection: close\r\n", "");
    idle.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 13];
    idle.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 403 ");
    let waits = request.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let waits = waits.split_once('{').unwrap().0;
    half.write_all(waits.as_bytes()).unwrap();
    let mut asked = [0; 25];
    half.read_exact(&mut asked).unwrap();
    gitlab.restart(LIMIT);
    for stream in [&mut idle, &mut half] {
        assert_eq!(read(stream).1, Some(ErrorKind::ConnectionReset));
    }
    let mut new = connect(&gitlab);
    new.write_all(request.as_bytes()).unwrap();
    assert_eq!(read(&mut new).1, Some(ErrorKind::ConnectionReset));
    gitlab.faults().clear();
    let mut new = connect(&gitlab);
    new.write_all(request.as_bytes()).unwrap();
    new.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 403 ");
}
